/** What the Azure Functions host is told; the reasons are in docs/azure-functions.md. */

export function hostJson(routePrefix = "api"): string {
  const settings = {
    version: "2.0",
    functionTimeout: "00:10:00",
    extensionBundle: { id: "Microsoft.Azure.Functions.ExtensionBundle", version: "[4.*, 5.0.0)" },
    extensions: {
      http: { routePrefix },
      queues: {
        batchSize: 4,
        newBatchThreshold: 4,
        maxPollingInterval: "00:00:02",
        visibilityTimeout: "00:00:30",
        maxDequeueCount: 5,
        messageEncoding: "base64",
      },
    },
    logging: {
      logLevel: {
        default: "Warning",
        Function: "Information",
        "Host.Function.Console": "Information",
        "Host.Results": "Information",
        "Host.Aggregator": "Information",
      },
      applicationInsights: {
        samplingSettings: { isEnabled: true, excludedTypes: "Request;Exception;Trace" },
      },
    },
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
