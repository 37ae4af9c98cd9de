// What needs a person, by e-mail. Each rule asks the logs every five minutes. What to do: docs/operating.md.
// Azure would refuse a query for a table that nothing was written to yet, and nothing is before the first deployment.

param token string
param location string
param tags object
param insightsId string
param email string
param runQueue string
param waitingRunSeconds int
@description('Empty: no such alert.')
param missingTickWindow string

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
    skipQueryValidation: true
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

resource missingTicks 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = if (!empty(missingTickWindow)) {
  name: 'missing-ticks-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'No tick has succeeded'
    description: 'The app, its timer or its database is away, or the day\'s logs are used up: see the daily cap.'
    severity: 1
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: missingTickWindow
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          // One row where there is no line, so that it does not depend on what Azure makes of no rows.
          query: '''
traces
| where message startswith '{' and message has 'oldest_waiting_run_age_s'
| extend line = parse_json(message)
| where line.msg == 'Tick'
| summarize ticks = count()
| where ticks == 0
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
    skipQueryValidation: true
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
    skipQueryValidation: true
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
