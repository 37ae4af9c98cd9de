/** How SQL is sent: tagged templates, typed rows, and one meaning for a database that is not there. */

import type { QueryResult, QueryResultRow } from "pg";
import sql, { type Sql } from "sql-template-tag";
import { AppError } from "../errors.ts";

/** A pool, a client of one, or a database that gets itself ready. */
export interface Db {
  readonly query: <Row extends QueryResultRow>(statement: Sql) => Promise<QueryResult<Row>>;
}

/**
 * A moment, so many milliseconds from now, by the database's clock: it decides what is due and what has lapsed, as an
 * instance whose own clock is off would refuse what another one has just stored, or take over what is alive.
 */
export function fromNow(ms: number): Sql {
  return sql`now() + ${ms}::float8 * interval '1 millisecond'`;
}

/** The rows of a statement. @throws AppError `unavailable` when the database cannot be reached */
export async function rows<Row extends QueryResultRow>(db: Db, statement: Sql): Promise<Row[]> {
  try {
    const result = await db.query<Row>(statement);
    return result.rows;
  } catch (error) {
    throw translate(error);
  }
}

/** One query, which only says whether the database answers. @throws AppError `unavailable` */
export async function ping(db: Db): Promise<void> {
  await rows(db, sql`select`);
}

/** Errors that mean "no database" become `unavailable`; the rest stay what they are. */
export function translate(error: unknown): unknown {
  if (!isUnavailable(error) && !isRefusal(error)) return error;
  return new AppError("unavailable", "The database cannot be reached", {
    cause: error,
    retryAfterSeconds: 5,
  });
}

export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return violates(error, "23505", constraint);
}

export function isForeignKeyViolation(error: unknown, constraint: string): boolean {
  return violates(error, "23503", constraint);
}

function violates(error: unknown, code: string, constraint: string): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === code &&
    "constraint" in error &&
    error.constraint === constraint
  );
}

/**
 * 25006: the server has become a standby, and another one is the primary now.
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html classes 08, 53 and 57
 */
const UNAVAILABLE =
  /^(08...|25006|53...|57P0[123]|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH)$/;
const LOST_CONNECTION =
  /Connection terminated|Query read timeout|after calling end on the pool|timeout exceeded when trying to connect|Client has encountered a connection error/;

/** Whether the server, or the pooler before it, did not let us sign in: with a password that is no longer the right one. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  if (error.code === "28P01" || error.code === "28000") return true;
  return error.code === "08P01" && /authentication failed/i.test(error.message); // PgBouncer
}

export function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  if ("code" in error && typeof error.code === "string" && UNAVAILABLE.test(error.code)) return true;
  return LOST_CONNECTION.test(error.message);
}
