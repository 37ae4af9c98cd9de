// Postgres that takes tokens of Entra ID and no passwords, behind PgBouncer where the size has it.

param name string
param location string
param tags object
param sku string
param storageGB int
param backupDays int
param geoRedundantBackup bool
param administratorId string
param administratorName string
param administratorType string
@description('The role that the app signs in as.')
param appUser string
@description('Empty: public access for services in Azure, which takes a token of Entra ID all the same.')
param privateSubnetId string
param zoneId string

var databaseName = 'langgraph'
var isPrivate = !empty(privateSubnetId)
var tier = startsWith(sku, 'Standard_B') ? 'Burstable' : startsWith(sku, 'Standard_E') ? 'MemoryOptimized' : 'GeneralPurpose'
var hasPgBouncer = tier != 'Burstable'
var port = hasPgBouncer ? 6432 : 5432

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    tier: tier
  }
  properties: {
    version: '17'
    authConfig: {
      activeDirectoryAuth: 'Enabled'
      passwordAuth: 'Disabled'
      tenantId: tenant().tenantId
    }
    storage: {
      storageSizeGB: storageGB
      autoGrow: 'Enabled'
    }
    backup: {
      backupRetentionDays: backupDays
      geoRedundantBackup: geoRedundantBackup ? 'Enabled' : 'Disabled'
    }
    network: { publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled' }
  }
}

// One after the other: the server refuses two changes at once.
resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2025-08-01' = {
  parent: server
  name: databaseName
  properties: {
    charset: 'UTF8'
    collation: 'en_US.utf8'
  }
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: administratorId
  properties: {
    principalName: administratorName
    principalType: administratorType
    tenantId: tenant().tenantId
  }
  dependsOn: [database]
}

resource pgBouncer 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2025-08-01' = if (hasPgBouncer) {
  parent: server
  name: 'pgbouncer.enabled'
  properties: {
    source: 'user-override'
    value: 'true'
  }
  dependsOn: [administrator]
}

resource poolMode 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2025-08-01' = if (hasPgBouncer) {
  parent: server
  name: 'pgbouncer.pool_mode'
  properties: {
    source: 'user-override'
    value: 'transaction'
  }
  dependsOn: [pgBouncer]
}

// The addresses of a function app on Flex Consumption are not known before; in Azure's own words, 0.0.0.0 is Azure.
resource fromAzure 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2025-08-01' = if (!isPrivate) {
  parent: server
  name: 'AllowAllAzureServicesAndResourcesWithinAzureIps'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
  dependsOn: [poolMode]
}

module endpoint 'private-endpoint.bicep' = if (isPrivate) {
  name: 'postgres-endpoint'
  params: {
    name: 'pe-${name}'
    location: location
    tags: tags
    subnetId: privateSubnetId
    targetId: server.id
    part: 'postgresqlServer'
    zoneId: zoneId
  }
  dependsOn: [poolMode]
}

output host string = server.properties.fullyQualifiedDomainName
output url string = 'postgres://${appUser}@${server.properties.fullyQualifiedDomainName}:${port}/${databaseName}?sslmode=verify-full'
