extension SchemaText {
    /// Types of the core API group.
    static let core3 = """
        @io.k8s.api.core.v1
        ConfigMap -- Settings for pods, as keys and texts.
          apiVersion string -- The version of the schema that this object is written in.
          binaryData {bytes} -- Settings that are no text, base64-encoded.
          data {string} -- The settings, by key.
          immutable boolean -- Whether the content can never change again.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
        Secret -- Secret data for pods, as keys and bytes.
          apiVersion string -- The version of the schema that this object is written in.
          data {bytes} -- The data, base64-encoded, by key.
          immutable boolean -- Whether the content can never change again.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          stringData {string} -- Texts that are written to data; never read back.
          type string -- What the secret is for.
        Service -- A stable address for a set of pods.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec ServiceSpec -- What the object should be.
          status ServiceStatus -- What the object was last seen to be; written by the system.
        ServiceSpec
          allocateLoadBalancerNodePorts boolean
          clusterIP string -- The address inside the cluster; "None" for a service without one.
          clusterIPs []string
          externalIPs []string
          externalName string
          externalTrafficPolicy string
          healthCheckNodePort integer
          internalTrafficPolicy string
          ipFamilies []string
          ipFamilyPolicy string
          loadBalancerClass string
          loadBalancerIP string
          loadBalancerSourceRanges []string
          ports []ServicePort merge=port -- Ports of the service.
          publishNotReadyAddresses boolean
          selector {string} -- Labels of the pods that serve.
          sessionAffinity string
          sessionAffinityConfig SessionAffinityConfig
          type string -- ClusterIP, NodePort, LoadBalancer or ExternalName.
        ServicePort
          appProtocol string
          name string
          nodePort integer
          port! integer
          protocol string
          targetPort intstr
        SessionAffinityConfig
          clientIP ClientIPConfig
        ClientIPConfig
          timeoutSeconds integer
        ServiceStatus
          conditions []Condition merge=type
          loadBalancer LoadBalancerStatus
        LoadBalancerStatus
          ingress []LoadBalancerIngress
        LoadBalancerIngress
          hostname string
          ip string
          ports []PortStatus
        PortStatus
          error string
          port! integer
          protocol! string
        Endpoints
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          subsets []EndpointSubset
        EndpointSubset
          addresses []EndpointAddress
          notReadyAddresses []EndpointAddress
          ports []EndpointPort
        EndpointAddress
          hostname string
          ip! string
          nodeName string
          targetRef ObjectReference
        ObjectReference
          apiVersion string -- The version of the schema that this object is written in.
          fieldPath string
          kind string -- The type that this object represents.
          name string
          namespace string
          resourceVersion string
          uid string
        EndpointPort
          appProtocol string
          name string
          port! integer
          protocol string
        Event -- A report about something that happened to an object.
          action string
          apiVersion string -- The version of the schema that this object is written in.
          count integer
          eventTime micro
          firstTimestamp time
          involvedObject! ObjectReference
          kind string -- The type that this object represents.
          lastTimestamp time
          message string
          metadata! ObjectMeta -- Standard metadata of the object.
          reason string
          related ObjectReference
          reportingComponent string
          reportingInstance string
          series EventSeries
          source EventSource
          type string
        EventSeries
          count integer
          lastObservedTime micro
        EventSource
          component string
          host string
        Namespace -- A space for names.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec NamespaceSpec -- What the object should be.
          status NamespaceStatus -- What the object was last seen to be; written by the system.
        NamespaceSpec
          finalizers []string
        NamespaceStatus
          conditions []NamespaceCondition merge=type
          phase string
        NamespaceCondition
          lastTransitionTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        ServiceAccount -- An identity for what runs in pods.
          apiVersion string -- The version of the schema that this object is written in.
          automountServiceAccountToken boolean
          imagePullSecrets []LocalObjectReference
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          secrets []ObjectReference merge=name
        PersistentVolume -- A piece of storage in the cluster.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec PersistentVolumeSpec -- What the object should be.
          status PersistentVolumeStatus -- What the object was last seen to be; written by the system.
        PersistentVolumeSpec
          accessModes []string
          awsElasticBlockStore AWSElasticBlockStoreVolumeSource
          azureDisk AzureDiskVolumeSource
          azureFile AzureFilePersistentVolumeSource
          capacity {quantity}
          cephfs CephFSPersistentVolumeSource
          cinder CinderPersistentVolumeSource
          claimRef ObjectReference
          csi CSIPersistentVolumeSource
          fc FCVolumeSource
          flexVolume FlexPersistentVolumeSource
          flocker FlockerVolumeSource
          gcePersistentDisk GCEPersistentDiskVolumeSource
          glusterfs GlusterfsPersistentVolumeSource
          hostPath HostPathVolumeSource
          iscsi ISCSIPersistentVolumeSource
          local LocalVolumeSource
          mountOptions []string
          nfs NFSVolumeSource
          nodeAffinity VolumeNodeAffinity
          persistentVolumeReclaimPolicy string
          photonPersistentDisk PhotonPersistentDiskVolumeSource
          portworxVolume PortworxVolumeSource
          quobyte QuobyteVolumeSource
          rbd RBDPersistentVolumeSource
          scaleIO ScaleIOPersistentVolumeSource
          storageClassName string
          storageos StorageOSPersistentVolumeSource
          volumeMode string
          vsphereVolume VsphereVirtualDiskVolumeSource
        AzureFilePersistentVolumeSource
          readOnly boolean
          secretName! string
          secretNamespace string
          shareName! string
        CephFSPersistentVolumeSource
          monitors! []string
          path string
          readOnly boolean
          secretFile string
          secretRef SecretReference
          user string
        SecretReference
          name string
          namespace string
        CinderPersistentVolumeSource
          fsType string
          readOnly boolean
          secretRef SecretReference
          volumeID! string
        CSIPersistentVolumeSource
          controllerExpandSecretRef SecretReference
          controllerPublishSecretRef SecretReference
          driver! string
          fsType string
          nodeExpandSecretRef SecretReference
          nodePublishSecretRef SecretReference
          nodeStageSecretRef SecretReference
          readOnly boolean
          volumeAttributes {string}
          volumeHandle! string
        FlexPersistentVolumeSource
          driver! string
          fsType string
          options {string}
          readOnly boolean
          secretRef SecretReference
        GlusterfsPersistentVolumeSource
          endpoints! string
          endpointsNamespace string
          path! string
          readOnly boolean
        ISCSIPersistentVolumeSource
          chapAuthDiscovery boolean
          chapAuthSession boolean
          fsType string
          initiatorName string
          iqn! string
          iscsiInterface string
          lun! integer
          portals []string
          readOnly boolean
          secretRef SecretReference
          targetPortal! string
        LocalVolumeSource
          fsType string
          path! string
        VolumeNodeAffinity
          required NodeSelector
        RBDPersistentVolumeSource
          fsType string
          image! string
          keyring string
          monitors! []string
          pool string
          readOnly boolean
          secretRef SecretReference
          user string
        ScaleIOPersistentVolumeSource
          fsType string
          gateway! string
          protectionDomain string
          readOnly boolean
          secretRef! SecretReference
          sslEnabled boolean
          storageMode string
          storagePool string
          system! string
          volumeName string
        StorageOSPersistentVolumeSource
          fsType string
          readOnly boolean
          secretRef ObjectReference
          volumeName string
          volumeNamespace string
        PersistentVolumeStatus
          lastPhaseTransitionTime time
          message string
          phase string
          reason string
        PersistentVolumeClaim -- A request for storage.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec PersistentVolumeClaimSpec -- What the object should be.
          status PersistentVolumeClaimStatus -- What the object was last seen to be; written by the system.
        PersistentVolumeClaimStatus
          accessModes []string
          allocatedResourceStatuses {string}
          allocatedResources {quantity}
          capacity {quantity}
          conditions []PersistentVolumeClaimCondition merge=type
          phase string
        PersistentVolumeClaimCondition
          lastProbeTime time
          lastTransitionTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        Binding
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          target! ObjectReference
        """
}
