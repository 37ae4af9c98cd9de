// All that a deployment needs: a function app on Flex Consumption, its storage, Postgres, secrets, logs and alerts,
// in a resource group of its own. The commands: README.md in this folder.

targetScope = 'subscription'

@description('Names the environment; a hash of it is in every resource name. azd sets it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Region of all resources: one that has Flex Consumption (az functionapp list-flexconsumption-locations).')
@metadata({ azd: { type: 'location' } })
param location string

@description('Resource group, which is made if it is not there.')
param resourceGroupName string = 'rg-${environmentName}'

// ---- The database

@description('''
Compute size of the Postgres that is made. Prices a month, in East US, before storage (32 GB: 4 USD):
Standard_D2ds_v5 130 USD (the smallest with PgBouncer, 844 connections), Standard_B2s 50 USD (no PgBouncer,
414 connections), Standard_B1ms 13 USD (no PgBouncer, 35 connections: set maximumInstanceCount to 3 as well).
''')
@allowed([
  'Standard_B1ms'
  'Standard_B2s'
  'Standard_D2ds_v5'
  'Standard_D4ds_v5'
  'Standard_E2ds_v5'
  'Standard_E4ds_v5'
])
param databaseSku string = 'Standard_D2ds_v5'

@description('''
A Postgres that you have, such as one of Neon: postgres://user:password@host:5432/database?sslmode=verify-full.
None is made then. It is kept in the Key Vault. Serverless ones sleep while nothing runs: set tickSchedule to an hour.
''')
@secure()
param databaseUrl string = ''

@description('''
Size of the disk in GB. It grows by itself when it is nearly full, and never shrinks: when it has grown, say its new
size here, as Azure refuses a smaller one.
''')
@allowed([32, 64, 128, 256, 512])
param databaseStorageGB int = 32

@description('Days that backups are kept, for a restore to any moment in them.')
@minValue(7)
@maxValue(35)
param databaseBackupDays int = 7

@description('Whether backups are also kept in the paired region, at twice their price. It cannot be changed later.')
param databaseGeoRedundantBackup bool = false

@description('''
Object id of who administers the database: a user, a group or a service principal of Entra ID. If empty, the app's
identity does, on this server of its own. If given, the app gets no more than database-user.sql grants; run that once.
''')
param databaseAdministratorId string = ''

@description('Its name: user@example.com, or the name of the group or the service principal.')
param databaseAdministratorName string = ''

@description('What it is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param databaseAdministratorType string = 'User'

@description('''
Name of a server that is there already, in this resource group and region: one that a backup was restored into. It takes
the place of the one that would be made, and is made to be as the other parameters say. Not with databaseUrl.
''')
param databaseServerName string = ''

// ---- The app

@description('Memory of one instance in MB. Price and processors go with it. Not every region takes 512.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('''
Instances at most, of the HTTP functions and of the workers each. In regions where Azure does not take fewer than 40,
the deployment says so. Each opens up to databasePoolSize connections.
''')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('HTTP instances that are kept warm; 0 scales to zero.')
@minValue(0)
param alwaysReadyHttpInstances int = 0

@description('HTTP requests that an instance takes at once, streams included, before another is started. 0: as Azure thinks.')
@minValue(0)
@maxValue(1000)
param httpConcurrency int = 0

@description('DATABASE_POOL_SIZE: connections to Postgres of one instance at most.')
@minValue(1)
@maxValue(100)
param databasePoolSize int = 4

@description('DATABASE_MIGRATE: whether the first use brings the schema up to date.')
param databaseMigrate bool = true

@description('DATABASE_TIMEOUT_SECONDS: how long a connection or a statement may take.')
@minValue(1)
@maxValue(600)
param databaseTimeoutSeconds int = 15

@description('LOG_LEVEL. The alerts on waiting runs and on missing ticks need info or debug.')
@allowed(['debug', 'info', 'warn', 'error', 'silent'])
param logLevel string = 'info'

@description('LANGGRAPH_CONFIG: defaults for the assistants of graphs, as JSON text.')
param langgraphConfig string = ''

@description('RUN_LEASE_SECONDS: how long an instance may give no sign of life before another takes its run over.')
@minValue(3)
@maxValue(600)
param runLeaseSeconds int = 30

@description('EVENT_RETENTION_HOURS: how long what a run streamed can be read again after its end.')
@minValue(1)
@maxValue(87600)
param eventRetentionHours int = 24

@description('PUBLIC_URL: where people reach the API, if not at the function app itself.')
param publicUrl string = ''

@description('RUN_QUEUE: the queue that wakes workers. The one for what failed five times has -poison after it.')
@minLength(3)
@maxLength(56)
param runQueue string = 'langgraph-runs'

@description('TICK_SCHEDULE: when the timer looks for what is due (six fields, seconds first).')
param tickSchedule string = '0 * * * * *'

@description('FUNCTION_TIMEOUT_SECONDS: as functionTimeout in host.json says.')
@minValue(1)
param functionTimeoutSeconds int = 600

@description('''
Names of settings whose values are secrets of the Key Vault: ENCRYPTION_KEYS, WEBHOOK_SECRETS, RESUME_LINK_SECRETS,
OPENAI_API_KEY, … The secret has the same name, with - for _. Put it there before you name it here.
''')
param keyVaultSettings array = []

@description('Further settings, none of them secret: { CHAT_MODEL: \'…\', OTEL_EXPORTER_OTLP_ENDPOINT: \'…\' }.')
param extraSettings object = {}

// ---- The network

@description('''
Whether storage, Key Vault and Postgres are reached over a virtual network only, with public access off.
About 30 USD a month, for four private endpoints.
''')
param privateNetworking bool = false

@description('Whether the API too is reached over the virtual network only; with privateNetworking.')
param privateApi bool = false

@description('How the addresses of the virtual network, a /16, begin.')
param addressStart string = '10.40'

// ---- Who looks after it

@description('Object id of who may write secrets into the Key Vault; azd gives its user. If empty, nobody is added.')
param operatorId string = ''

@description('Whether nobody can remove deleted secrets for good for 30 days. On once, it stays on. Wise with ENCRYPTION_KEYS.')
param vaultPurgeProtection bool = false

@description('Days that logs are kept. 30 are included in the price of taking them in.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('''
Gigabytes of logs a day at most; what is over is dropped until the next day, and alerts see nothing of it: all that they
can tell then is that there are no ticks. -1: no limit.
''')
param logDailyCapGB int = 1

@description('Who gets an e-mail when something needs a person. If empty, there are no alerts (6 USD a month for four).')
param alertEmail string = ''

@description('How long a run may wait for a worker, in seconds, before that is an alert.')
@minValue(60)
param waitingRunAlertSeconds int = 300

@description('''
In how long at least one tick must have succeeded, or else that is an alert: three times as long as tickSchedule has
between two, or more. If empty, there is no such alert; nor is there with a LOG_LEVEL that leaves ticks out.
''')
@allowed(['', 'PT15M', 'PT30M', 'PT1H', 'PT2H', 'PT6H', 'P1D'])
param missingTickAlertWindow string = 'PT15M'

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var ownDatabase = empty(databaseUrl)
var functionAppName = 'func-${token}'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${token}'
    location: location
    tags: tags
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  name: 'network'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    addressStart: addressStart
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    retentionDays: logRetentionDays
    dailyCapGB: logDailyCapGB
    identityPrincipalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    runQueue: runQueue
    identityPrincipalId: identity.outputs.principalId
    privateSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
    blobZoneId: privateNetworking ? network!.outputs.blobZoneId : ''
    queueZoneId: privateNetworking ? network!.outputs.queueZoneId : ''
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    databaseUrl: databaseUrl
    identityPrincipalId: identity.outputs.principalId
    operatorId: operatorId
    purgeProtection: vaultPurgeProtection
    privateSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
    zoneId: privateNetworking ? network!.outputs.vaultZoneId : ''
  }
}

module postgres 'modules/postgres.bicep' = if (ownDatabase) {
  name: 'postgres'
  scope: group
  params: {
    name: empty(databaseServerName) ? 'psql-${token}' : databaseServerName
    location: location
    tags: tags
    sku: databaseSku
    storageGB: databaseStorageGB
    backupDays: databaseBackupDays
    geoRedundantBackup: databaseGeoRedundantBackup
    administratorId: empty(databaseAdministratorId) ? identity.outputs.principalId : databaseAdministratorId
    administratorName: empty(databaseAdministratorId) ? identity.outputs.name : databaseAdministratorName
    administratorType: empty(databaseAdministratorId) ? 'ServicePrincipal' : databaseAdministratorType
    appUser: identity.outputs.name
    privateSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
    zoneId: privateNetworking ? network!.outputs.postgresZoneId : ''
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    name: functionAppName
    token: token
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    deploymentContainer: storage.outputs.deploymentContainer
    insightsConnectionString: monitoring.outputs.connectionString
    vaultName: vault.outputs.name
    appSubnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    privateSubnetId: privateNetworking && privateApi ? network!.outputs.endpointSubnetId : ''
    sitesZoneId: privateNetworking && privateApi ? network!.outputs.sitesZoneId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyHttpInstances: alwaysReadyHttpInstances
    httpConcurrency: httpConcurrency
    databaseAuth: ownDatabase ? 'entra' : 'password'
    databaseUrl: ownDatabase ? postgres!.outputs.url : '@Microsoft.KeyVault(VaultName=${vault.outputs.name};SecretName=DATABASE-URL)'
    databasePoolSize: databasePoolSize
    databaseMigrate: databaseMigrate
    databaseTimeoutSeconds: databaseTimeoutSeconds
    logLevel: logLevel
    langgraphConfig: langgraphConfig
    runLeaseSeconds: runLeaseSeconds
    eventRetentionHours: eventRetentionHours
    publicUrl: publicUrl
    runQueue: runQueue
    tickSchedule: tickSchedule
    functionTimeoutSeconds: functionTimeoutSeconds
    keyVaultSettings: keyVaultSettings
    extraSettings: extraSettings
  }
}

module alerts 'modules/alerts.bicep' = if (!empty(alertEmail)) {
  name: 'alerts'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    insightsId: monitoring.outputs.insightsId
    email: alertEmail
    runQueue: runQueue
    waitingRunSeconds: waitingRunAlertSeconds
    missingTickWindow: logLevel == 'info' || logLevel == 'debug' ? missingTickAlertWindow : ''
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = app.outputs.name
output AZURE_KEY_VAULT_NAME string = vault.outputs.name

@description('What clients call: graphs are below it.')
output API_URL string = app.outputs.apiUrl

@description('Empty for a database that you brought.')
output DATABASE_HOST string = ownDatabase ? postgres!.outputs.host : ''

@description('The role in Postgres that the app signs in as.')
output DATABASE_USER string = identity.outputs.name

@description('For database-user.sql.')
output AZURE_IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
