/** A database's schema as text, as there is no `pg_dump` in the embedded Postgres. */

import type { TestDatabase } from "../support/database.ts";

/** Statements that make the same tables, constraints, indexes and functions: tables by name, columns by age. */
export async function dumpSchema(database: TestDatabase): Promise<string> {
  const [row] = await database.query(DUMP);
  return String(row?.["dump"]);
}

const DUMP = `
with tables as (
  select oid, format('%I.%I', nspname, relname) as name
  from pg_class join (select oid as namespace, nspname from pg_namespace) n on namespace = relnamespace
  where relkind in ('r', 'p') and nspname !~ '^(pg_|information_schema)'
), lines as (
  select attrelid as oid, attnum as position, concat_ws(' ',
    quote_ident(attname), format_type(atttypid, atttypmod),
    case when attnotnull then 'not null' end,
    'default ' || pg_get_expr(adbin, adrelid)) as line
  from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where attnum > 0 and not attisdropped
  union all
  select conrelid, 10000 + row_number() over (order by contype <> 'p', conname),
    format('constraint %I %s', conname, pg_get_constraintdef(oid))
  from pg_constraint where contype in ('p', 'u', 'c', 'x')
), statements as (
  select name, 1 as part, '' as detail,
    format(E'create table %s (\\n  %s\\n);', name, string_agg(line, E',\\n  ' order by position)) as statement
  from tables join lines using (oid) group by oid, name
  union all
  select name, 2, relname, pg_get_indexdef(indexrelid) || ';'
  from pg_index join pg_class on pg_class.oid = indexrelid join tables on tables.oid = indrelid
  where not exists (select from pg_constraint where conindid = indexrelid and contype <> 'f')
  union all
  select name, 3, conname, format('alter table %s add constraint %I %s;', name, conname, pg_get_constraintdef(c.oid))
  from pg_constraint c join tables on tables.oid = conrelid where contype = 'f'
  union all
  select name, 4, tgname, pg_get_triggerdef(t.oid) || ';'
  from pg_trigger t join tables on tables.oid = tgrelid where not tgisinternal
  union all
  select format('%I.%I', nspname, proname), 5, '', pg_get_functiondef(p.oid) || ';'
  from pg_proc p join pg_namespace n on n.oid = pronamespace
  where nspname !~ '^(pg_|information_schema)'
    and not exists (select from pg_depend where objid = p.oid and deptype = 'e')
)
select string_agg(statement, E'\\n' || case when part in (1, 3, 5) then E'\\n' else '' end
  order by part = 3, name, part, detail) as dump
from statements`;
