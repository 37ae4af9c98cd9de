/** The store as graphs have it, in LangGraph's own terms. Import it lazily: it loads LangChain. */

import {
  BaseStore,
  type GetOperation,
  type Item as GraphItem,
  type ListNamespacesOperation,
  type Operation,
  type OperationResults,
  type PutOperation,
  type SearchItem,
  type SearchOperation,
} from "@langchain/langgraph-checkpoint";
import {
  listNamespaces,
  readItems,
  searchItems,
  writeItems,
  type Item,
  type NamespaceQuery,
  type StoreDeps,
} from "../core/store.ts";
import { AppError } from "../errors.ts";

/**
 * What a run's nodes and tools find as `config.store`. A batch is one statement for each kind of operation; like
 * LangGraph's own stores, it reads before it writes. LangGraph itself gathers what nodes ask in the same moment.
 */
export class GraphStore extends BaseStore {
  readonly #deps: StoreDeps;

  constructor(deps: StoreDeps) {
    super();
    this.#deps = deps;
  }

  /** @throws Error that says what is wrong with an operation; AppError `unavailable` */
  override async batch<Op extends Operation[]>(operations: Op): Promise<OperationResults<Op>> {
    const answers = await this.#perform(operations).catch(rethrow);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each operation is there with an answer of its kind
    return operations.map((operation) => answers.get(operation)) as OperationResults<Op>;
  }

  async #perform(operations: readonly Operation[]): Promise<ReadonlyMap<Operation, unknown>> {
    const gets = operations.filter(isGet);
    const searches = operations.filter(isSearch);
    const lists = operations.filter(isList);
    const [items, found, namespaces] = await Promise.all([
      readItems(this.#deps, gets),
      searchItems(this.#deps, searches.map(searchOf)),
      Promise.all(lists.map(async (list) => listNamespaces(this.#deps, listOf(list)))),
    ]);
    await writeItems(this.#deps, operations.filter(isPut));
    return new Map<Operation, unknown>([
      ...gets.map((get, index) => [get, shownOrNull(items[index])] as const),
      ...searches.map((search, index) => [search, found[index]?.map(shown)] as const),
      ...lists.map((list, index) => [list, namespaces[index]] as const),
    ]);
  }
}

function isGet(operation: Operation): operation is GetOperation {
  return "key" in operation && !("value" in operation);
}

function isPut(operation: Operation): operation is PutOperation {
  return "value" in operation;
}

function isSearch(operation: Operation): operation is SearchOperation {
  return "namespacePrefix" in operation;
}

function isList(operation: Operation): operation is ListNamespacesOperation {
  return !isGet(operation) && !isPut(operation) && !isSearch(operation);
}

function searchOf({ namespacePrefix, filter, query, limit = 10, offset = 0 }: SearchOperation) {
  return { namespace_prefix: namespacePrefix, filter, query, limit, offset };
}

function listOf({ matchConditions = [], maxDepth, limit, offset }: ListNamespacesOperation): NamespaceQuery {
  const pathOf = (wanted: "prefix" | "suffix") =>
    matchConditions.find(({ matchType }) => matchType === wanted)?.path ?? [];
  return { prefix: pathOf("prefix"), suffix: pathOf("suffix"), max_depth: maxDepth, limit, offset };
}

function shownOrNull(item: Item | null | undefined): GraphItem | null {
  return item === null || item === undefined ? null : shown(item);
}

function shown(item: Item & { readonly score?: number | null }): SearchItem {
  const { namespace, key, value, created_at, updated_at, score } = item;
  return {
    namespace: [...namespace],
    key,
    value,
    createdAt: created_at,
    updatedAt: updated_at,
    ...(score === null || score === undefined ? {} : { score }),
  };
}

/** A node's mistake is the graph's to catch, and no fault of the request that started the run. */
function rethrow(error: unknown): never {
  if (!(error instanceof AppError) || error.code === "unavailable") throw error;
  throw new Error(error.message, { cause: error });
}
