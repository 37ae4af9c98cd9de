"use strict";
/**
 * Stands in for the Functions host's Node worker: a process that gives `@azure/functions` the core module, imports the
 * app, and then invokes its functions as the host asks over IPC. Plain CommonJS, as Node runs it unbuilt.
 * Usage: fork(worker.cjs, [entry]). Messages: see protocol.ts.
 */
const { Module } = require("node:module");
const { pathToFileURL } = require("node:url");

const functions = new Map();
const hooks = { appStart: [], appTerminate: [], preInvocation: [], postInvocation: [], log: [] };
const appHookData = {};
let programmingModel;
let isStarting = true;

function log(level, category, message) {
  process.send({ type: "log", level, category, message });
}

class Disposable {
  constructor(dispose) {
    this.dispose = dispose;
  }
}

const core = {
  version: "3.13.0",
  hostVersion: "4.1045.0",
  Disposable,
  log,
  setProgrammingModel(model) {
    programmingModel = model;
  },
  getProgrammingModel: () => programmingModel,
  registerFunction(metadata, callback) {
    if (!isStarting) throw systemError("A function can only be registered during app startup.");
    if (functions.has(metadata.name))
      throw systemError(`A function named "${metadata.name}" is registered twice.`);
    functions.set(metadata.name, { metadata, callback });
    return new Disposable(() => functions.delete(metadata.name));
  },
  registerHook(name, callback) {
    if (!(name in hooks)) throw systemError(`Unrecognized hook "${name}"`, RangeError);
    hooks[name].push(callback);
    return new Disposable(() => hooks[name].splice(hooks[name].indexOf(callback), 1));
  },
};

function systemError(message, ErrorType = Error) {
  return Object.assign(new ErrorType(message), { isAzureFunctionsSystemError: true });
}

const requireAny = Module.prototype.require;
Module.prototype.require = function (id) {
  return id === "@azure/functions-core" ? core : requireAny.call(this, id);
};

async function runHooks(name, context) {
  for (const hook of hooks[name]) await hook(context);
}

async function start(entry) {
  await import(pathToFileURL(entry).href);
  await runHooks("appStart", { hookData: {}, appHookData });
  isStarting = false;
  const capabilities = (await programmingModel?.getCapabilities({})) ?? {};
  const bindings = [...functions.values()].map(({ metadata }) => metadata);
  process.send({ type: "ready", functions: bindings, httpUri: capabilities.HttpUri });
}

async function invoke({ functionName, request }) {
  const { metadata, callback } = functions.get(functionName);
  const context = { invocationId: request.invocationId, request, metadata, state: "preInvocationHooks", log };
  const model = programmingModel.getInvocationModel(context);
  const args = await model.getArguments();
  const hookContext = {
    hookData: {},
    appHookData,
    invocationContext: args.context,
    functionCallback: callback,
    inputs: args.inputs,
    result: null,
    error: null,
  };
  await runHooks("preInvocation", hookContext);
  context.state = "invocation";
  try {
    hookContext.result = await model.invokeFunction(
      args.context,
      hookContext.inputs,
      hookContext.functionCallback,
    );
  } catch (error) {
    hookContext.error = error;
  }
  context.state = "postInvocationHooks";
  await runHooks("postInvocation", hookContext);
  if (hookContext.error) throw hookContext.error;
  return model.getResponse(args.context, hookContext.result);
}

const describe = (error) => (error instanceof Error ? (error.stack ?? error.message) : String(error));

process.on("message", async (message) => {
  if (message.type === "terminate") {
    await runHooks("appTerminate", { hookData: {}, appHookData });
    process.exit(0);
  }
  const { invocationId } = message.request;
  try {
    const { returnValue } = await invoke(message);
    process.send({ type: "result", invocationId, returnValue });
  } catch (error) {
    process.send({ type: "result", invocationId, error: describe(error) });
  }
});
// The host is gone, and with it all reason to be.
process.on("disconnect", () => process.exit(0));

start(process.argv[2]).catch((error) => {
  process.send({ type: "failed", error: describe(error) }, () => process.exit(1));
});
