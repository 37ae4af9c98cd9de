// The function app. FUNCTIONS_WORKER_RUNTIME, FUNCTIONS_EXTENSION_VERSION, WEBSITE_*, and what siteConfig says elsewhere
// of FTP, scaling and routing, are not for Flex Consumption.

param name string
param token string
param location string
param tags object
param identityId string
param identityClientId string
param blobEndpoint string
param queueEndpoint string
param deploymentContainer string
param insightsConnectionString string
param vaultName string
@description('Empty: no virtual network.')
param appSubnetId string
@description('Empty: the API is public.')
param privateSubnetId string
param sitesZoneId string

param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReadyHttpInstances int
param httpConcurrency int

param databaseAuth string
@description('With a user and no password, or a reference to the Key Vault.')
param databaseUrl string
param databasePoolSize int
param databaseMigrate bool
param databaseTimeoutSeconds int
param logLevel string
param langgraphConfig string
param runLeaseSeconds int
param eventRetentionHours int
param publicUrl string
param runQueue string
param tickSchedule string
param functionTimeoutSeconds int
param keyVaultSettings array
param extraSettings object

var isPrivate = !empty(privateSubnetId)

var settings = [
  { name: 'AzureWebJobsStorage__blobServiceUri', value: blobEndpoint }
  { name: 'AzureWebJobsStorage__queueServiceUri', value: queueEndpoint }
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: identityClientId }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insightsConnectionString }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identityClientId};Authorization=AAD' }
  { name: 'AZURE_CLIENT_ID', value: identityClientId }
  { name: 'DATABASE_AUTH', value: databaseAuth }
  { name: 'DATABASE_URL', value: databaseUrl }
  { name: 'DATABASE_POOL_SIZE', value: string(databasePoolSize) }
  { name: 'DATABASE_MIGRATE', value: databaseMigrate ? 'true' : 'false' }
  { name: 'DATABASE_TIMEOUT_SECONDS', value: string(databaseTimeoutSeconds) }
  { name: 'LOG_LEVEL', value: logLevel }
  { name: 'RUN_LEASE_SECONDS', value: string(runLeaseSeconds) }
  { name: 'EVENT_RETENTION_HOURS', value: string(eventRetentionHours) }
  { name: 'RUN_QUEUE', value: runQueue }
  { name: 'TICK_SCHEDULE', value: tickSchedule }
  { name: 'FUNCTION_TIMEOUT_SECONDS', value: string(functionTimeoutSeconds) }
]
var withConfig = empty(langgraphConfig) ? [] : [{ name: 'LANGGRAPH_CONFIG', value: langgraphConfig }]
var withPublicUrl = empty(publicUrl) ? [] : [{ name: 'PUBLIC_URL', value: publicUrl }]
var withSecrets = [
  for setting in keyVaultSettings: {
    name: setting
    value: '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=${replace(setting, '_', '-')})'
  }
]
var withExtras = [
  for setting in items(extraSettings): {
    name: setting.key
    value: string(setting.value)
  }
]

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_225:not in every region, and an instance that is lost loses no run
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_222:the API is for the internet unless privateApi says otherwise
  // checkov:skip=CKV_AZURE_17:callers prove who they are by keys or tokens, not by certificates
  // checkov:skip=CKV_AZURE_212:it scales to zero, on purpose
  // checkov:skip=CKV_AZURE_213:Flex Consumption has no health check path
  // checkov:skip=CKV_AZURE_78:nor FTP, and does not take its setting
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' }) // by which azd finds it, so nothing else may have it
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: empty(appSubnetId) ? null : appSubnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyHttpInstances == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyHttpInstances }]
        triggers: httpConcurrency == 0 ? null : { http: { perInstanceConcurrency: httpConcurrency } }
      }
      runtime: {
        name: 'node'
        version: '22'
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      appSettings: concat(settings, withConfig, withPublicUrl, withSecrets, withExtras)
    }
  }

  // Deployments sign in with Entra ID; these are the ways that take a password.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

module endpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'app-endpoint'
  params: {
    name: 'pe-${name}'
    location: location
    tags: tags
    subnetId: privateSubnetId
    targetId: app.id
    part: 'sites'
    zoneId: sitesZoneId
  }
}

output name string = app.name
output apiUrl string = 'https://${app.properties.defaultHostName}/api'
