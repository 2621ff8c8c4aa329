extension SchemaText {
    /// Types of the other API groups.
    static let groups2 = """
        @io.k8s.api.storage.v1
        VolumeAttachmentSpec
          attacher! string
          nodeName! string
          source! VolumeAttachmentSource
        VolumeAttachmentSource
          inlineVolumeSpec PersistentVolumeSpec
          persistentVolumeName string
        VolumeAttachmentStatus
          attachError VolumeError
          attached! boolean
          attachmentMetadata {string}
          detachError VolumeError
        VolumeError
          message string
          time time
        @io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1
        CustomResourceDefinition -- Adds a kind of object to the API.
          apiVersion string -- The version of the schema that this object is written in.
          kind string -- The type that this object represents.
          metadata ObjectMeta -- Standard metadata of the object.
          spec! CustomResourceDefinitionSpec -- What the object should be.
          status CustomResourceDefinitionStatus -- What the object was last seen to be; written by the system.
        CustomResourceDefinitionSpec
          conversion CustomResourceConversion
          group! string
          names! CustomResourceDefinitionNames
          preserveUnknownFields boolean
          scope! string
          versions! []CustomResourceDefinitionVersion
        CustomResourceConversion
          strategy! string
          webhook WebhookConversion
        WebhookConversion
          clientConfig ApiextensionsV1WebhookClientConfig
          conversionReviewVersions! []string
        ApiextensionsV1WebhookClientConfig
          caBundle string
          service ApiextensionsV1ServiceReference
          url string
        ApiextensionsV1ServiceReference
          name! string
          namespace! string
          path string
          port integer
        CustomResourceDefinitionNames
          categories []string
          kind! string -- The type that this object represents.
          listKind string
          plural! string
          shortNames []string
          singular string
        CustomResourceDefinitionVersion
          additionalPrinterColumns []CustomResourceColumnDefinition
          deprecated boolean
          deprecationWarning string
          name! string
          schema CustomResourceValidation
          served! boolean
          storage! boolean
          subresources CustomResourceSubresources
        CustomResourceColumnDefinition
          description string
          format string
          jsonPath! string
          name! string
          priority integer
          type! string
        CustomResourceValidation
          openAPIV3Schema JSONSchemaProps
        JSONSchemaProps
          $ref string
          $schema string
          additionalItems any
          additionalProperties any
          allOf []JSONSchemaProps
          anyOf []JSONSchemaProps
          default any
          definitions {JSONSchemaProps}
          dependencies {any}
          description string
          enum []any
          example any
          exclusiveMaximum boolean
          exclusiveMinimum boolean
          externalDocs ExternalDocumentation
          format string
          id string
          items any
          maxItems integer
          maxLength integer
          maxProperties integer
          maximum number
          minItems integer
          minLength integer
          minProperties integer
          minimum number
          multipleOf number
          not JSONSchemaProps
          nullable boolean
          oneOf []JSONSchemaProps
          pattern string
          patternProperties {JSONSchemaProps}
          properties {JSONSchemaProps}
          required []string
          title string
          type string
          uniqueItems boolean
          x-kubernetes-embedded-resource boolean
          x-kubernetes-int-or-string boolean
          x-kubernetes-list-map-keys []string
          x-kubernetes-list-type string
          x-kubernetes-map-type string
          x-kubernetes-preserve-unknown-fields boolean
          x-kubernetes-validations []ValidationRule
        ExternalDocumentation
          description string
          url string
        ValidationRule
          fieldPath string
          message string
          messageExpression string
          reason string
          rule! string
        CustomResourceSubresources
          scale CustomResourceSubresourceScale
          status any -- What the object was last seen to be; written by the system.
        CustomResourceSubresourceScale
          labelSelectorPath string
          specReplicasPath! string
          statusReplicasPath! string
        CustomResourceDefinitionStatus
          acceptedNames CustomResourceDefinitionNames
          conditions []CustomResourceDefinitionCondition
          storedVersions []string
        CustomResourceDefinitionCondition
          lastTransitionTime time
          message string
          reason string
          status! string -- What the object was last seen to be; written by the system.
          type! string
        """
}
