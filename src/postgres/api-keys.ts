/** The SQL of API keys. */

import sql from "sql-template-tag";
import type { ApiKey, ApiKeyStore, StoredApiKey } from "../core/api-keys.ts";
import { rows, type Db } from "./sql.ts";

const columns = sql`key_id, identity, display_name, permissions, created_at, expires_at, revoked_at`;

export function apiKeyStore(db: Db): ApiKeyStore {
  return {
    create: async ({ key_id, hash, identity, display_name, permissions, created_at, expires_at }) => {
      await rows(
        db,
        sql`
        insert into langgraph.api_keys (key_id, hash, identity, display_name, permissions, created_at, expires_at)
        values (${key_id}, ${hash}, ${identity}, ${display_name}, ${JSON.stringify(permissions)}::jsonb, ${created_at}, ${expires_at})`,
      );
    },
    find: async (key_id) => {
      const [found] = await rows<StoredApiKey>(
        db,
        sql`select ${columns}, hash from langgraph.api_keys where key_id = ${key_id}`,
      );
      return found ?? null;
    },
    list: async () =>
      rows<ApiKey>(db, sql`select ${columns} from langgraph.api_keys order by created_at desc, key_id`),
    revoke: async (key_id, now) => {
      const revoked = await rows(
        db,
        sql`
        update langgraph.api_keys set revoked_at = ${now}
        where key_id = ${key_id} and revoked_at is null returning key_id`,
      );
      return revoked.length > 0;
    },
  };
}
