/** The checkpointer that graphs get: LangGraph's PostgresSaver on our pool. Import it lazily: it loads LangChain. */

import type { RunnableConfig } from "@langchain/core/runnables";
import type { Checkpoint, CheckpointMetadata, CheckpointTuple, PendingWrite } from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { translate } from "./sql.ts";

/** Says `unavailable` where the stock saver would throw whatever the driver threw. Its tables come from our migrations. */
export class Checkpointer extends PostgresSaver {
  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    return super.getTuple(config).catch(rethrow);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: Record<string, number | string>,
  ): Promise<RunnableConfig> {
    return super.put(config, checkpoint, metadata, newVersions).catch(rethrow);
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    return super.putWrites(config, writes, taskId).catch(rethrow);
  }
}

function rethrow(error: unknown): never {
  throw translate(error);
}
