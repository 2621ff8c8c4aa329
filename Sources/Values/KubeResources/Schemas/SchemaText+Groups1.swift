extension SchemaText {
    /// Types of the other API groups.
    static let groups1 = """
        @io.k8s.api.apps.v1
        Deployment -- Keeps a number of equal pods and replaces them step by step when their template changes.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec DeploymentSpec -- What the object should be.
          status DeploymentStatus -- What the object was last seen to be; written by the system.
        DeploymentSpec
          minReadySeconds integer -- Seconds that a pod has to be ready to count as available.
          paused boolean -- Whether the rollout is paused.
          progressDeadlineSeconds integer -- Seconds without progress after which the rollout counts as failed. Default: 600.
          replicas integer -- How many pods there should be. Default: 1.
          revisionHistoryLimit integer -- How many old replica sets are kept for a way back. Default: 10.
          selector! LabelSelector -- Labels by which the pods are found; must match those of the template. Cannot be changed.
          strategy DeploymentStrategy retain -- How old pods are replaced by new ones.
          template! PodTemplateSpec -- The pods to make.
        DeploymentStrategy
          rollingUpdate RollingUpdateDeployment
          type string
        RollingUpdateDeployment
          maxSurge intstr
          maxUnavailable intstr
        PodTemplateSpec
          metadata ObjectMeta -- Standard metadata of the object.
          spec PodSpec -- What the object should be.
        DeploymentStatus
          availableReplicas integer
          collisionCount integer
          conditions []DeploymentCondition merge=type
          observedGeneration integer
          readyReplicas integer
          replicas integer
          unavailableReplicas integer
          updatedReplicas integer
        DeploymentCondition
          lastTransitionTime time
          lastUpdateTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        ReplicaSet -- Keeps a number of equal pods.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec ReplicaSetSpec -- What the object should be.
          status ReplicaSetStatus -- What the object was last seen to be; written by the system.
        ReplicaSetSpec
          minReadySeconds integer
          replicas integer
          selector! LabelSelector
          template PodTemplateSpec
        ReplicaSetStatus
          availableReplicas integer
          conditions []ReplicaSetCondition merge=type
          fullyLabeledReplicas integer
          observedGeneration integer
          readyReplicas integer
          replicas! integer
        ReplicaSetCondition
          lastTransitionTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        DaemonSet -- Keeps one pod on every suitable node.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec DaemonSetSpec -- What the object should be.
          status DaemonSetStatus -- What the object was last seen to be; written by the system.
        DaemonSetSpec
          minReadySeconds integer
          revisionHistoryLimit integer
          selector! LabelSelector
          template! PodTemplateSpec
          updateStrategy DaemonSetUpdateStrategy
        DaemonSetUpdateStrategy
          rollingUpdate RollingUpdateDaemonSet
          type string
        RollingUpdateDaemonSet
          maxSurge intstr
          maxUnavailable intstr
        DaemonSetStatus
          collisionCount integer
          conditions []DaemonSetCondition merge=type
          currentNumberScheduled! integer
          desiredNumberScheduled! integer
          numberAvailable integer
          numberMisscheduled! integer
          numberReady! integer
          numberUnavailable integer
          observedGeneration integer
          updatedNumberScheduled integer
        DaemonSetCondition
          lastTransitionTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        ControllerRevision
          apiVersion string -- The version of the schema that this object is written in.
          data any
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          revision! integer
        @io.k8s.api.autoscaling.v1
        Scale
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec ScaleSpec -- What the object should be.
          status ScaleStatus -- What the object was last seen to be; written by the system.
        ScaleSpec
          replicas integer
        ScaleStatus
          replicas! integer
          selector string
        @io.k8s.api.policy.v1
        Eviction
          apiVersion string -- The version of the schema that this object is written in.
          deleteOptions DeleteOptions
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
        @io.k8s.api.authentication.v1
        TokenRequest
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! TokenRequestSpec -- What the object should be.
          status TokenRequestStatus -- What the object was last seen to be; written by the system.
        TokenRequestSpec
          audiences! []string
          boundObjectRef BoundObjectReference
          expirationSeconds integer
        BoundObjectReference
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          name string
          uid string
        TokenRequestStatus
          expirationTimestamp! time
          token! string
        TokenReview
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! TokenReviewSpec -- What the object should be.
          status TokenReviewStatus -- What the object was last seen to be; written by the system.
        TokenReviewSpec
          audiences []string
          token string
        TokenReviewStatus
          audiences []string
          authenticated boolean
          error string
          user UserInfo
        UserInfo
          extra {[]string}
          groups []string
          uid string
          username string
        SelfSubjectReview
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          status SelfSubjectReviewStatus -- What the object was last seen to be; written by the system.
        SelfSubjectReviewStatus
          userInfo UserInfo
        @io.k8s.api.authorization.v1
        SubjectAccessReview
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! SubjectAccessReviewSpec -- What the object should be.
          status SubjectAccessReviewStatus -- What the object was last seen to be; written by the system.
        SubjectAccessReviewSpec
          extra {[]string}
          groups []string
          nonResourceAttributes NonResourceAttributes
          resourceAttributes ResourceAttributes
          uid string
          user string
        NonResourceAttributes
          path string
          verb string
        ResourceAttributes
          group string
          name string
          namespace string
          resource string
          subresource string
          verb string
          version string
        SubjectAccessReviewStatus
          allowed! boolean
          denied boolean
          evaluationError string
          reason string
        LocalSubjectAccessReview
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! SubjectAccessReviewSpec -- What the object should be.
          status SubjectAccessReviewStatus -- What the object was last seen to be; written by the system.
        SelfSubjectAccessReview
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! SelfSubjectAccessReviewSpec -- What the object should be.
          status SubjectAccessReviewStatus -- What the object was last seen to be; written by the system.
        SelfSubjectAccessReviewSpec
          nonResourceAttributes NonResourceAttributes
          resourceAttributes ResourceAttributes
        SelfSubjectRulesReview
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! SelfSubjectRulesReviewSpec -- What the object should be.
          status SubjectRulesReviewStatus -- What the object was last seen to be; written by the system.
        SelfSubjectRulesReviewSpec
          namespace string
        SubjectRulesReviewStatus
          evaluationError string
          incomplete! boolean
          nonResourceRules! []NonResourceRule
          resourceRules! []ResourceRule
        NonResourceRule
          nonResourceURLs []string
          verbs! []string
        ResourceRule
          apiGroups []string
          resourceNames []string
          resources []string
          verbs! []string
        @io.k8s.api.coordination.v1
        Lease -- A sign of life, or a claim of leadership.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec LeaseSpec -- What the object should be.
        LeaseSpec
          acquireTime micro
          holderIdentity string
          leaseDurationSeconds integer
          leaseTransitions integer
          renewTime micro
        @io.k8s.api.rbac.v1
        Role -- What may be done in one namespace.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          rules []PolicyRule
        PolicyRule
          apiGroups []string
          nonResourceURLs []string
          resourceNames []string
          resources []string
          verbs! []string
        RoleBinding -- Who has a role in one namespace.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          roleRef! RoleRef
          subjects []Subject
        RoleRef
          apiGroup! string
          kind! string -- The type that this object represents.
          name! string
        Subject
          apiGroup string
          kind! string -- The type that this object represents.
          name! string
          namespace string
        ClusterRole -- What may be done in the whole cluster.
          aggregationRule AggregationRule
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          rules []PolicyRule
        AggregationRule
          clusterRoleSelectors []LabelSelector
        ClusterRoleBinding -- Who has a role in the whole cluster.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          roleRef! RoleRef
          subjects []Subject
        @io.k8s.api.certificates.v1
        CertificateSigningRequest
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! CertificateSigningRequestSpec -- What the object should be.
          status CertificateSigningRequestStatus -- What the object was last seen to be; written by the system.
        CertificateSigningRequestSpec
          expirationSeconds integer
          extra {[]string}
          groups []string
          request! bytes
          signerName! string
          uid string
          usages []string
          username string
        CertificateSigningRequestStatus
          certificate bytes
          conditions []CertificateSigningRequestCondition
        CertificateSigningRequestCondition
          lastTransitionTime time
          lastUpdateTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        @io.k8s.api.storage.v1
        StorageClass
          allowVolumeExpansion boolean
          allowedTopologies []TopologySelectorTerm
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          mountOptions []string
          parameters {string}
          provisioner! string
          reclaimPolicy string
          volumeBindingMode string
        TopologySelectorTerm
          matchLabelExpressions []TopologySelectorLabelRequirement
        TopologySelectorLabelRequirement
          key! string
          values! []string
        VolumeAttachment
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! VolumeAttachmentSpec -- What the object should be.
          status VolumeAttachmentStatus -- What the object was last seen to be; written by the system.
        """
}
