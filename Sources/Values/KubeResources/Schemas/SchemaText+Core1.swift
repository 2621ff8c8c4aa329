extension SchemaText {
    /// Types of the core API group.
    static let core1 = """
        @io.k8s.api.core.v1
        Pod -- A group of containers that run together on one node.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec PodSpec -- What the object should be.
          status PodStatus -- What the object was last seen to be; written by the system.
        PodSpec -- What a pod should be.
          activeDeadlineSeconds integer -- Seconds after its start at which the pod is ended.
          affinity Affinity -- Rules about the nodes and the neighbours that the pod wants.
          automountServiceAccountToken boolean -- Whether a token of the service account is mounted into the containers.
          containers! []Container merge=name -- The containers of the pod, at least one. Cannot be added or removed later.
          dnsConfig PodDNSConfig -- Resolver settings on top of the policy.
          dnsPolicy string -- How names are resolved: ClusterFirst, ClusterFirstWithHostNet, Default or None.
          enableServiceLinks boolean -- Whether services appear as environment variables. Default: true.
          ephemeralContainers []EphemeralContainer merge=name -- Containers that were added to the running pod for debugging.
          hostAliases []HostAlias merge=ip -- Lines that are added to the hosts file of the pod.
          hostIPC boolean -- Whether the pod shares the IPC namespace of its node.
          hostNetwork boolean -- Whether the pod uses the network of its node.
          hostPID boolean -- Whether the pod sees the processes of its node.
          hostUsers boolean
          hostname string -- The host name inside the pod. Default: the name of the pod.
          imagePullSecrets []LocalObjectReference merge=name -- Secrets with credentials for the registries of the images.
          initContainers []Container merge=name -- Containers that run to their end, one after the other, before the others start.
          nodeName string -- The node that runs the pod; set by the scheduler where it is empty.
          nodeSelector {string} -- Labels that a node must have to run the pod.
          os PodOS
          overhead {quantity}
          preemptionPolicy string
          priority integer
          priorityClassName string -- The class that gives the pod its priority.
          readinessGates []PodReadinessGate
          resourceClaims []PodResourceClaim merge=name retain
          restartPolicy string -- Whether containers are restarted: Always, OnFailure or Never. Default: Always.
          runtimeClassName string
          schedulerName string -- Which scheduler binds the pod.
          schedulingGates []PodSchedulingGate merge=name
          securityContext PodSecurityContext -- Security settings for the whole pod and defaults for its containers.
          serviceAccount string
          serviceAccountName string -- The service account that the pod runs as.
          setHostnameAsFQDN boolean
          shareProcessNamespace boolean
          subdomain string
          terminationGracePeriodSeconds integer -- Seconds between the request to end and the kill. Default: 30.
          tolerations []Toleration -- Taints of nodes that the pod bears.
          topologySpreadConstraints []TopologySpreadConstraint merge=topologyKey
          volumes []Volume merge=name retain -- Volumes that containers of the pod may mount.
        Affinity
          nodeAffinity NodeAffinity
          podAffinity PodAffinity
          podAntiAffinity PodAntiAffinity
        NodeAffinity
          preferredDuringSchedulingIgnoredDuringExecution []PreferredSchedulingTerm
          requiredDuringSchedulingIgnoredDuringExecution NodeSelector
        PreferredSchedulingTerm
          preference! NodeSelectorTerm
          weight! integer
        NodeSelectorTerm
          matchExpressions []NodeSelectorRequirement
          matchFields []NodeSelectorRequirement
        NodeSelectorRequirement
          key! string
          operator! string
          values []string
        NodeSelector
          nodeSelectorTerms! []NodeSelectorTerm
        PodAffinity
          preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm
          requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm
        WeightedPodAffinityTerm
          podAffinityTerm! PodAffinityTerm
          weight! integer
        PodAffinityTerm
          labelSelector LabelSelector
          namespaceSelector LabelSelector
          namespaces []string
          topologyKey! string
        PodAntiAffinity
          preferredDuringSchedulingIgnoredDuringExecution []WeightedPodAffinityTerm
          requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm
        Container -- One container of a pod.
          args []string -- Arguments of the entry point.
          command []string -- Takes the place of the image's entry point.
          env []EnvVar merge=name -- Environment variables.
          envFrom []EnvFromSource -- ConfigMaps and Secrets whose keys become environment variables.
          image string -- The image to run.
          imagePullPolicy string -- When the image is pulled: Always, Never or IfNotPresent.
          lifecycle Lifecycle -- What to do after the start and before the end.
          livenessProbe Probe -- A check whose failure restarts the container.
          name! string -- The name, a DNS label that is unique in the pod.
          ports []ContainerPort merge=containerPort -- Ports that the container listens on.
          readinessProbe Probe -- A check whose failure takes the container out of service.
          resizePolicy []ContainerResizePolicy
          resources ResourceRequirements -- What the container needs and may use at most.
          restartPolicy string
          securityContext SecurityContext -- Security settings of the container.
          startupProbe Probe -- A check that has to succeed before the others begin.
          stdin boolean -- Whether the container has a standard input.
          stdinOnce boolean
          terminationMessagePath string -- The file with the last words of the container. Default: /dev/termination-log.
          terminationMessagePolicy string -- File, or FallbackToLogsOnError to take the end of the log.
          tty boolean -- Whether the container has a terminal.
          volumeDevices []VolumeDevice merge=devicePath
          volumeMounts []VolumeMount merge=mountPath -- Volumes and where they appear in the container.
          workingDir string -- The directory in which the process starts.
        EnvVar
          name! string -- The name of the variable.
          value string -- The text; $(NAME) stands for an earlier variable.
          valueFrom EnvVarSource -- Where the text comes from.
        EnvVarSource
          configMapKeyRef ConfigMapKeySelector
          fieldRef ObjectFieldSelector
          resourceFieldRef ResourceFieldSelector
          secretKeyRef SecretKeySelector
        ConfigMapKeySelector
          key! string
          name string
          optional boolean
        ObjectFieldSelector
          apiVersion string -- The version of the schema that this object is written in.
          fieldPath! string
        ResourceFieldSelector
          containerName string
          divisor quantity
          resource! string
        SecretKeySelector
          key! string
          name string
          optional boolean
        EnvFromSource
          configMapRef ConfigMapEnvSource
          prefix string
          secretRef SecretEnvSource
        ConfigMapEnvSource
          name string
          optional boolean
        SecretEnvSource
          name string
          optional boolean
        Lifecycle
          postStart LifecycleHandler
          preStop LifecycleHandler
        LifecycleHandler
          exec ExecAction
          httpGet HTTPGetAction
          tcpSocket TCPSocketAction
        ExecAction
          command []string
        HTTPGetAction
          host string
          httpHeaders []HTTPHeader
          path string
          port! intstr
          scheme string
        HTTPHeader
          name! string
          value! string
        TCPSocketAction
          host string
          port! intstr
        Probe
          exec ExecAction
          failureThreshold integer
          grpc GRPCAction
          httpGet HTTPGetAction
          initialDelaySeconds integer
          periodSeconds integer
          successThreshold integer
          tcpSocket TCPSocketAction
          terminationGracePeriodSeconds integer
          timeoutSeconds integer
        GRPCAction
          port! integer
          service string
        ContainerPort
          containerPort! integer
          hostIP string
          hostPort integer
          name string
          protocol string
        ContainerResizePolicy
          resourceName! string
          restartPolicy! string
        ResourceRequirements
          claims []ResourceClaim
          limits {quantity}
          requests {quantity}
        ResourceClaim
          name! string
        SecurityContext
          allowPrivilegeEscalation boolean
          capabilities Capabilities
          privileged boolean
          procMount string
          readOnlyRootFilesystem boolean
          runAsGroup integer
          runAsNonRoot boolean
          runAsUser integer
          seLinuxOptions SELinuxOptions
          seccompProfile SeccompProfile
          windowsOptions WindowsSecurityContextOptions
        Capabilities
          add []string
          drop []string
        SELinuxOptions
          level string
          role string
          type string
          user string
        SeccompProfile
          localhostProfile string
          type! string
        WindowsSecurityContextOptions
          gmsaCredentialSpec string
          gmsaCredentialSpecName string
          hostProcess boolean
          runAsUserName string
        VolumeDevice
          devicePath! string
          name! string
        VolumeMount
          mountPath! string
          mountPropagation string
          name! string
          readOnly boolean
          subPath string
          subPathExpr string
        PodDNSConfig
          nameservers []string
          options []PodDNSConfigOption
          searches []string
        PodDNSConfigOption
          name string
          value string
        EphemeralContainer
          args []string
          command []string
          env []EnvVar merge=name
          envFrom []EnvFromSource
          image string
          imagePullPolicy string
          lifecycle Lifecycle
          livenessProbe Probe
          name! string
          ports []ContainerPort merge=containerPort
          readinessProbe Probe
          resizePolicy []ContainerResizePolicy
          resources ResourceRequirements
          restartPolicy string
          securityContext SecurityContext
          startupProbe Probe
          stdin boolean
          stdinOnce boolean
          targetContainerName string
          terminationMessagePath string
          terminationMessagePolicy string
          tty boolean
          volumeDevices []VolumeDevice merge=devicePath
          volumeMounts []VolumeMount merge=mountPath
          workingDir string
        HostAlias
          hostnames []string
          ip string
        LocalObjectReference
          name string
        PodOS
          name! string
        PodReadinessGate
          conditionType! string
        PodResourceClaim
          name! string
          source ClaimSource
        ClaimSource
          resourceClaimName string
          resourceClaimTemplateName string
        PodSchedulingGate
          name! string
        PodSecurityContext
          fsGroup integer
          fsGroupChangePolicy string
          runAsGroup integer
          runAsNonRoot boolean
          runAsUser integer
          seLinuxOptions SELinuxOptions
          seccompProfile SeccompProfile
          supplementalGroups []integer
          sysctls []Sysctl
          windowsOptions WindowsSecurityContextOptions
        Sysctl
          name! string
          value! string
        Toleration
          effect string
          key string
          operator string
          tolerationSeconds integer
          value string
        TopologySpreadConstraint
          labelSelector LabelSelector
          matchLabelKeys []string
          maxSkew! integer
          minDomains integer
          nodeAffinityPolicy string
          nodeTaintsPolicy string
          topologyKey! string
          whenUnsatisfiable! string
        Volume -- A directory that containers of a pod can reach.
          awsElasticBlockStore AWSElasticBlockStoreVolumeSource
          azureDisk AzureDiskVolumeSource
          azureFile AzureFileVolumeSource
          cephfs CephFSVolumeSource
          cinder CinderVolumeSource
          configMap ConfigMapVolumeSource
          csi CSIVolumeSource
          downwardAPI DownwardAPIVolumeSource
          emptyDir EmptyDirVolumeSource
          ephemeral EphemeralVolumeSource
          fc FCVolumeSource
          flexVolume FlexVolumeSource
          flocker FlockerVolumeSource
          gcePersistentDisk GCEPersistentDiskVolumeSource
          gitRepo GitRepoVolumeSource
          glusterfs GlusterfsVolumeSource
          hostPath HostPathVolumeSource
          iscsi ISCSIVolumeSource
          name! string
          nfs NFSVolumeSource
          persistentVolumeClaim PersistentVolumeClaimVolumeSource
          photonPersistentDisk PhotonPersistentDiskVolumeSource
          portworxVolume PortworxVolumeSource
          projected ProjectedVolumeSource
          quobyte QuobyteVolumeSource
          rbd RBDVolumeSource
          scaleIO ScaleIOVolumeSource
          secret SecretVolumeSource
          storageos StorageOSVolumeSource
          vsphereVolume VsphereVirtualDiskVolumeSource
        """
}
