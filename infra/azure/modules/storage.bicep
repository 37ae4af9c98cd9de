// The account of the Functions host: its own state, the deployed package, the queue that wakes workers.

param name string
param location string
param tags object
param runQueue string
param identityPrincipalId string
@description('Empty: public access, which takes a token of Entra ID all the same.')
param privateSubnetId string
param blobZoneId string
param queueZoneId string

var deploymentContainer = 'deployments'
var isPrivate = !empty(privateSubnetId)
var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
var queueContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35:closed by privateNetworking; without it, the addresses of the app are not known
  // checkov:skip=CKV_AZURE_206:all in it can be made again, by a deployment and by the next tick
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: {
        enabled: true
        days: 7
      }
    }

    resource deployments 'containers' = {
      name: deploymentContainer
      properties: { publicAccess: 'None' }
    }
  }

  resource queues 'queueServices' = {
    name: 'default'

    resource runs 'queues' = {
      name: runQueue
    }

    resource poison 'queues' = {
      name: '${runQueue}-poison'
    }
  }
}

resource blobRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, identityPrincipalId, blobOwner)
  scope: storage
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
  }
}

resource queueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, identityPrincipalId, queueContributor)
  scope: storage
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueContributor)
  }
}

module blobEndpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'storage-blob-endpoint'
  params: {
    name: 'pe-${name}-blob'
    location: location
    tags: tags
    subnetId: privateSubnetId
    targetId: storage.id
    part: 'blob'
    zoneId: blobZoneId
  }
}

module queueEndpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'storage-queue-endpoint'
  params: {
    name: 'pe-${name}-queue'
    location: location
    tags: tags
    subnetId: privateSubnetId
    targetId: storage.id
    part: 'queue'
    zoneId: queueZoneId
  }
}

// Outputs come last, so who uses them waits for the roles and the queues.
output blobEndpoint string = storage.properties.primaryEndpoints.blob
output queueEndpoint string = storage.properties.primaryEndpoints.queue
output deploymentContainer string = deploymentContainer
