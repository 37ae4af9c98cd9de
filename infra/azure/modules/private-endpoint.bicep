// One part of a service, in the virtual network, under the name that it has anyway.

param name string
param location string
param tags object
param subnetId string
param targetId string
@description('What Azure calls the group: blob, queue, vault, postgresqlServer, sites.')
param part string
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2024-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: name
        properties: {
          privateLinkServiceId: targetId
          groupIds: [part]
        }
      }
    ]
  }

  resource zones 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: part
          properties: { privateDnsZoneId: zoneId }
        }
      ]
    }
  }
}
