/** The store's endpoints, in a few words. */

import { z } from "zod";
import type { Ask } from "./users.ts";

export const put = async (ask: Ask, namespace: readonly string[], key: string, value: object) =>
  (await ask("PUT", "/store/items", { namespace, key, value })).status;
export const get = async (ask: Ask, namespace: string, key: string) =>
  (await ask("GET", `/store/items?namespace=${encodeURIComponent(namespace)}&key=${key}`)).body;
export const search = async (ask: Ask, body: object = {}) =>
  (await ask("POST", "/store/items/search", body)).body;
export const namespaces = async (ask: Ask, body: object = {}) => {
  const { body: found } = await ask("POST", "/store/namespaces", body);
  return z.object({ namespaces: z.array(z.array(z.string())) }).parse(found).namespaces;
};
export const remove = async (ask: Ask, namespace: readonly string[], key: string) =>
  (await ask("DELETE", "/store/items", { namespace, key })).status;
