extension SchemaText {
    /// Types of the meta API group.
    static let meta = """
        @io.k8s.apimachinery.pkg.apis.meta.v1
        ObjectMeta -- What every stored object has: its names, its version, its labels.
          annotations {string} -- Any texts that tools keep with the object; nothing selects by them.
          creationTimestamp time -- When the server stored the object.
          deletionGracePeriodSeconds integer -- Seconds that the object has to end gracefully.
          deletionTimestamp time -- When the object will be removed, once its deletion was asked for.
          finalizers []string merge= -- Who has to agree before the object is removed.
          generateName string -- A prefix from which the server makes a unique name where none is given.
          generation integer -- Counts the changes of the specification.
          labels {string} -- Short texts by which objects are grouped and selected.
          managedFields []ManagedFieldsEntry
          name string -- The name, unique within the namespace for the kind. It cannot be changed.
          namespace string -- The space in which the name is unique. It cannot be changed.
          ownerReferences []OwnerReference merge=uid -- Objects without which this one is removed.
          resourceVersion string -- The version of the stored object; changes with every write.
          selfLink string
          uid string -- The identity in time and space, given by the server.
        ManagedFieldsEntry
          apiVersion string -- The version of the schema that this object is written in.
          fieldsType string
          fieldsV1 any
          manager string
          operation string
          subresource string
          time time
        OwnerReference
          apiVersion! string -- The version of the schema that this object is written in.
          blockOwnerDeletion boolean
          controller boolean
          kind! string -- The type that this object represents.
          name! string
          uid! string
        ListMeta
          continue string
          remainingItemCount integer
          resourceVersion string
          selfLink string
        LabelSelector
          matchExpressions []LabelSelectorRequirement
          matchLabels {string}
        LabelSelectorRequirement
          key! string
          operator! string
          values []string
        DeleteOptions
          apiVersion string -- The version of the schema that this object is written in.
          dryRun []string
          gracePeriodSeconds integer
          kind string -- The type that this object represents.
          orphanDependents boolean
          preconditions Preconditions
          propagationPolicy string
        Preconditions
          resourceVersion string
          uid string
        Status
          apiVersion string -- The version of the schema that this object is written in.
          code integer
          details StatusDetails
          kind string -- The type that this object represents.
          message string
          metadata ListMeta -- Standard metadata of the object.
          reason string
          status string -- What the object was last seen to be; written by the system.
        StatusDetails
          causes []StatusCause
          group string
          kind string -- The type that this object represents.
          name string
          retryAfterSeconds integer
          uid string
        StatusCause
          field string
          message string
          reason string
        Condition
          lastTransitionTime! time
          message! string
          observedGeneration integer
          reason! string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        """
}
