// The app's secrets. It reads them through references in its settings; it cannot list or write them.

param name string
param location string
param tags object
@secure()
param databaseUrl string
param identityPrincipalId string
param operatorId string
param purgeProtection bool
@description('Empty: public access, which takes a token of Entra ID all the same.')
param privateSubnetId string
param zoneId string

var isPrivate = !empty(privateSubnetId)
var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
var secretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7' // Key Vault Secrets Officer

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // checkov:skip=CKV_AZURE_109:closed by privateNetworking; without it, the addresses of the app are not known
  // checkov:skip=CKV_AZURE_110:a parameter, vaultPurgeProtection, as azd down could not remove it otherwise
  // checkov:skip=CKV_AZURE_42:the same
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: purgeProtection ? true : null // what Azure takes for false
    softDeleteRetentionInDays: 30
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }
}

resource databaseSecret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(databaseUrl)) {
  // checkov:skip=CKV_AZURE_41:it is as good as the password in it, which is changed where the database is
  // checkov:skip=CKV_AZURE_114:it is set, which this check does not see
  parent: vault
  name: 'DATABASE-URL'
  tags: tags
  properties: {
    contentType: 'text/plain'
    value: databaseUrl
  }
}

resource readRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identityPrincipalId, secretsUser)
  scope: vault
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

resource operatorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  name: guid(vault.id, operatorId, secretsOfficer)
  scope: vault
  properties: {
    principalId: operatorId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
  }
}

module endpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'vault-endpoint'
  params: {
    name: 'pe-${name}'
    location: location
    tags: tags
    subnetId: privateSubnetId
    targetId: vault.id
    part: 'vault'
    zoneId: zoneId
  }
}

output name string = vault.name
