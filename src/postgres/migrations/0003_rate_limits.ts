/** The table of `rate-limiter-flexible`'s Postgres limiter. @see https://github.com/animir/node-rate-limiter-flexible/wiki/PostgreSQL */
export const rateLimits = `
create table langgraph.rate_limits (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
create index rate_limits_by_expire on langgraph.rate_limits (expire);
`;
