// What needs a person, by e-mail. Each rule asks the logs every five minutes. What to do: docs/operating.md.

param token string
param location string
param tags object
param insightsId string
param email string
param runQueue string
param waitingRunSeconds int

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'langgraph'
    enabled: true
    emailReceivers: [
      {
        name: 'operator'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource waitingRuns 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'waiting-runs-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Runs wait too long for a worker'
    description: 'The oldest run that could start has waited for more than ${waitingRunSeconds} seconds.'
    severity: 2
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT10M'
    criteria: {
      allOf: [
        {
          // The line that each tick writes to standard output, which the host puts into traces as it is.
          query: '''
traces
| where message startswith '{' and message has 'oldest_waiting_run_age_s'
| extend line = parse_json(message)
| where line.msg == 'Tick'
| project timestamp, age = todouble(line.oldest_waiting_run_age_s)
'''
          metricMeasureColumn: 'age'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: waitingRunSeconds
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    actions: { actionGroups: [people.id] }
  }
}

resource poisonQueue 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'poison-queue-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'A message went to ${runQueue}-poison'
    description: 'Waking a worker failed five times. No run is lost by it, but the database or the queue was away.'
    severity: 1
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      allOf: [
        {
          // Azure counts messages by account and by hour only; this is what the host says when it moves one.
          query: '''
traces
| where message startswith 'Message has reached MaxDequeueCount'
'''
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: false
    actions: { actionGroups: [people.id] }
  }
}

resource serverErrors 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'server-errors-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Requests fail'
    description: 'More than five requests in five minutes were answered with 5xx.'
    severity: 1
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      allOf: [
        {
          query: '''
requests
| where resultCode startswith '5'
'''
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 5
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    actions: { actionGroups: [people.id] }
  }
}
