extension SchemaText {
    /// Types of the core API group.
    static let core2 = """
        @io.k8s.api.core.v1
        AWSElasticBlockStoreVolumeSource
          fsType string
          partition integer
          readOnly boolean
          volumeID! string
        AzureDiskVolumeSource
          cachingMode string
          diskName! string
          diskURI! string
          fsType string
          kind string -- The type that this object represents.
          readOnly boolean
        AzureFileVolumeSource
          readOnly boolean
          secretName! string
          shareName! string
        CephFSVolumeSource
          monitors! []string
          path string
          readOnly boolean
          secretFile string
          secretRef LocalObjectReference
          user string
        CinderVolumeSource
          fsType string
          readOnly boolean
          secretRef LocalObjectReference
          volumeID! string
        ConfigMapVolumeSource
          defaultMode integer
          items []KeyToPath
          name string
          optional boolean
        KeyToPath
          key! string
          mode integer
          path! string
        CSIVolumeSource
          driver! string
          fsType string
          nodePublishSecretRef LocalObjectReference
          readOnly boolean
          volumeAttributes {string}
        DownwardAPIVolumeSource
          defaultMode integer
          items []DownwardAPIVolumeFile
        DownwardAPIVolumeFile
          fieldRef ObjectFieldSelector
          mode integer
          path! string
          resourceFieldRef ResourceFieldSelector
        EmptyDirVolumeSource
          medium string
          sizeLimit quantity
        EphemeralVolumeSource
          volumeClaimTemplate PersistentVolumeClaimTemplate
        PersistentVolumeClaimTemplate
          metadata ObjectMeta -- Standard metadata of the object.
          spec! PersistentVolumeClaimSpec -- What the object should be.
        PersistentVolumeClaimSpec
          accessModes []string
          dataSource TypedLocalObjectReference
          dataSourceRef TypedObjectReference
          resources ResourceRequirements
          selector LabelSelector
          storageClassName string
          volumeMode string
          volumeName string
        TypedLocalObjectReference
          apiGroup string
          kind! string -- The type that this object represents.
          name! string
        TypedObjectReference
          apiGroup string
          kind! string -- The type that this object represents.
          name! string
          namespace string
        FCVolumeSource
          fsType string
          lun integer
          readOnly boolean
          targetWWNs []string
          wwids []string
        FlexVolumeSource
          driver! string
          fsType string
          options {string}
          readOnly boolean
          secretRef LocalObjectReference
        FlockerVolumeSource
          datasetName string
          datasetUUID string
        GCEPersistentDiskVolumeSource
          fsType string
          partition integer
          pdName! string
          readOnly boolean
        GitRepoVolumeSource
          directory string
          repository! string
          revision string
        GlusterfsVolumeSource
          endpoints! string
          path! string
          readOnly boolean
        HostPathVolumeSource
          path! string
          type string
        ISCSIVolumeSource
          chapAuthDiscovery boolean
          chapAuthSession boolean
          fsType string
          initiatorName string
          iqn! string
          iscsiInterface string
          lun! integer
          portals []string
          readOnly boolean
          secretRef LocalObjectReference
          targetPortal! string
        NFSVolumeSource
          path! string
          readOnly boolean
          server! string
        PersistentVolumeClaimVolumeSource
          claimName! string
          readOnly boolean
        PhotonPersistentDiskVolumeSource
          fsType string
          pdID! string
        PortworxVolumeSource
          fsType string
          readOnly boolean
          volumeID! string
        ProjectedVolumeSource
          defaultMode integer
          sources []VolumeProjection
        VolumeProjection
          configMap ConfigMapProjection
          downwardAPI DownwardAPIProjection
          secret SecretProjection
          serviceAccountToken ServiceAccountTokenProjection
        ConfigMapProjection
          items []KeyToPath
          name string
          optional boolean
        DownwardAPIProjection
          items []DownwardAPIVolumeFile
        SecretProjection
          items []KeyToPath
          name string
          optional boolean
        ServiceAccountTokenProjection
          audience string
          expirationSeconds integer
          path! string
        QuobyteVolumeSource
          group string
          readOnly boolean
          registry! string
          tenant string
          user string
          volume! string
        RBDVolumeSource
          fsType string
          image! string
          keyring string
          monitors! []string
          pool string
          readOnly boolean
          secretRef LocalObjectReference
          user string
        ScaleIOVolumeSource
          fsType string
          gateway! string
          protectionDomain string
          readOnly boolean
          secretRef! LocalObjectReference
          sslEnabled boolean
          storageMode string
          storagePool string
          system! string
          volumeName string
        SecretVolumeSource
          defaultMode integer
          items []KeyToPath
          optional boolean
          secretName string
        StorageOSVolumeSource
          fsType string
          readOnly boolean
          secretRef LocalObjectReference
          volumeName string
          volumeNamespace string
        VsphereVirtualDiskVolumeSource
          fsType string
          storagePolicyID string
          storagePolicyName string
          volumePath! string
        PodStatus
          conditions []PodCondition merge=type -- What is true of the pod now.
          containerStatuses []ContainerStatus -- The state of each container.
          ephemeralContainerStatuses []ContainerStatus
          hostIP string -- The address of its node.
          hostIPs []HostIP
          initContainerStatuses []ContainerStatus
          message string
          nominatedNodeName string
          phase string -- Pending, Running, Succeeded, Failed or Unknown.
          podIP string -- The address of the pod.
          podIPs []PodIP merge=ip
          qosClass string
          reason string
          resize string
          resourceClaimStatuses []PodResourceClaimStatus merge=name retain
          startTime time -- When the node agent took up the pod.
        PodCondition
          lastProbeTime time
          lastTransitionTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        ContainerStatus
          allocatedResources {quantity}
          containerID string
          image! string
          imageID! string
          lastState ContainerState
          name! string
          ready! boolean
          resources ResourceRequirements
          restartCount! integer
          started boolean
          state ContainerState
        ContainerState
          running ContainerStateRunning
          terminated ContainerStateTerminated
          waiting ContainerStateWaiting
        ContainerStateRunning
          startedAt time
        ContainerStateTerminated
          containerID string
          exitCode! integer
          finishedAt time
          message string
          reason string
          signal integer
          startedAt time
        ContainerStateWaiting
          message string
          reason string
        HostIP
          ip string
        PodIP
          ip string
        PodResourceClaimStatus
          name! string
          resourceClaimName string
        Node -- A machine that runs pods.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec NodeSpec -- What the object should be.
          status NodeStatus -- What the object was last seen to be; written by the system.
        NodeSpec
          configSource NodeConfigSource
          externalID string
          podCIDR string
          podCIDRs []string merge=
          providerID string
          taints []Taint -- What pods have to bear to come here.
          unschedulable boolean -- Whether new pods stay away.
        NodeConfigSource
          configMap ConfigMapNodeConfigSource
        ConfigMapNodeConfigSource
          kubeletConfigKey! string
          name! string
          namespace! string
          resourceVersion string
          uid string
        Taint
          effect! string
          key! string
          timeAdded time
          value string
        NodeStatus
          addresses []NodeAddress merge=type
          allocatable {quantity}
          capacity {quantity}
          conditions []NodeCondition merge=type
          config NodeConfigStatus
          daemonEndpoints NodeDaemonEndpoints
          images []ContainerImage
          nodeInfo NodeSystemInfo
          phase string
          volumesAttached []AttachedVolume
          volumesInUse []string
        NodeAddress
          address! string
          type! string
        NodeCondition
          lastHeartbeatTime time
          lastTransitionTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        NodeConfigStatus
          active NodeConfigSource
          assigned NodeConfigSource
          error string
          lastKnownGood NodeConfigSource
        NodeDaemonEndpoints
          kubeletEndpoint DaemonEndpoint
        DaemonEndpoint
          Port! integer
        ContainerImage
          names []string
          sizeBytes integer
        NodeSystemInfo
          architecture! string
          bootID! string
          containerRuntimeVersion! string
          kernelVersion! string
          kubeProxyVersion! string
          kubeletVersion! string
          machineID! string
          operatingSystem! string
          osImage! string
          systemUUID! string
        AttachedVolume
          devicePath! string
          name! string
        """
}
