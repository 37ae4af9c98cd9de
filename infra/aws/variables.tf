# What to deploy

variable "package" {
  description = "The zip file that `langgraph-functions build --target lambda --zip` makes."
  type        = string

  validation {
    condition     = fileexists(var.package)
    error_message = "There is no such file. `langgraph-functions build --target lambda --zip` makes deploy.zip."
  }
}

variable "name" {
  description = "What the names of all resources begin with: several deployments of an account are told apart by it."
  type        = string
  default     = "langgraph"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "Must be 2 to 32 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

# The database

variable "database" {
  description = "`external`: a Postgres that is there, of Neon, Supabase or your own; `aurora`: makes an Aurora Serverless v2 in a network of its own, where functions sign in with IAM and there is no password."
  type        = string
  default     = "external"

  validation {
    condition     = contains(["external", "aurora"], var.database)
    error_message = "Must be one of external, aurora."
  }
}

variable "database_url" {
  description = "DATABASE_URL of an external database: postgres://user:password@host/database?sslmode=verify-full. Where there are two, that of the pooler, in transaction mode."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = (var.database_url != null) == (var.database == "external")
    error_message = "The database `external` needs it, and `aurora` makes its own."
  }

  validation {
    condition     = var.database_url == null || can(regex("^postgres(ql)?://", var.database_url))
    error_message = "Must be a postgres:// URL, with what is special in its password percent-encoded."
  }
}

variable "aurora_version" {
  description = "The version of Aurora PostgreSQL to begin with: a major one, of which AWS chooses the minor one, or both (17.5), 16.3 or newer. AWS then keeps the minor version up."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^(16|16\\.([3-9]|[1-9][0-9])|(1[7-9]|[2-9][0-9])(\\.[0-9]+)?)$", var.aurora_version))
    error_message = "Must be like 17 or 17.5, and 16.3 or newer."
  }
}

variable "aurora_min_capacity" {
  description = "In ACUs of 2 GiB. With 0 it pauses when nobody is connected, and the first request then waits some 15 s. A tick each minute keeps it awake: see `tick_minutes`."
  type        = number
  default     = 0

  validation {
    condition     = var.aurora_min_capacity >= 0 && var.aurora_min_capacity <= 256 && var.aurora_min_capacity * 2 == floor(var.aurora_min_capacity * 2)
    error_message = "Must be from 0 to 256, in steps of 0.5."
  }
}

variable "aurora_max_capacity" {
  description = "In ACUs of 2 GiB: what an hour can cost at most."
  type        = number
  default     = 4

  validation {
    condition     = var.aurora_max_capacity >= 1 && var.aurora_max_capacity <= 256 && var.aurora_max_capacity >= var.aurora_min_capacity
    error_message = "Must be from 1 to 256, and no less than aurora_min_capacity."
  }
}

variable "aurora_protected" {
  description = "Whether the database refuses to be deleted. When it may be, it goes without a last snapshot."
  type        = bool
  default     = true
}

variable "aurora_backup_days" {
  description = "For how long each second can be restored."
  type        = number
  default     = 7

  validation {
    condition     = var.aurora_backup_days >= 1 && var.aurora_backup_days <= 35
    error_message = "Must be from 1 to 35."
  }
}

# The network, which only `aurora` needs

variable "vpc_cidr" {
  description = "The IPv4 addresses of the network of `aurora`. Matters where networks are joined."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 15)) && can(regex("/(1[6-9]|2[0-4])$", var.vpc_cidr))
    error_message = "Must be a block of IPv4 addresses from /16 to /24."
  }
}

variable "availability_zones" {
  description = "Two or three zones for the network of `aurora`. By default the first two of the region."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null ? true : contains([2, 3], length(distinct(var.availability_zones)))
    error_message = "Must be two or three zones of the region."
  }
}

variable "internet" {
  description = "How functions in the network of `aurora` reach models: `ipv6` costs nothing, and reaches what has IPv6 addresses; `nat` reaches all, and costs some $33 a month and what flows through."
  type        = string
  default     = "ipv6"

  validation {
    condition     = contains(["ipv6", "nat"], var.internet)
    error_message = "Must be one of ipv6, nat."
  }
}

# The functions

variable "runtime" {
  description = "The Node.js that runs the functions."
  type        = string
  default     = "nodejs24.x"

  validation {
    condition     = can(regex("^nodejs(2[2468]|[3-9][02468])\\.x$", var.runtime))
    error_message = "Must be nodejs22.x or a newer one with an even number."
  }
}

variable "architecture" {
  description = "`arm64` is a fifth cheaper; `x86_64` is for packages with native code that have nothing else."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Must be one of arm64, x86_64."
  }
}

variable "memory_mb" {
  description = "Of each function. 1769 MB come with one whole processor, which cold starts need."
  type        = number
  default     = 1769

  validation {
    condition     = var.memory_mb >= 512 && var.memory_mb <= 10240 && var.memory_mb == floor(var.memory_mb)
    error_message = "Must be a whole number from 512 to 10240."
  }
}

variable "http_timeout_seconds" {
  description = "As long as a client may wait for an answer. A run that needs longer goes on in a worker, and its client comes back for the rest."
  type        = number
  default     = 300

  validation {
    condition     = var.http_timeout_seconds >= 10 && var.http_timeout_seconds <= 900 && var.http_timeout_seconds == floor(var.http_timeout_seconds)
    error_message = "Must be a whole number from 10 to 900."
  }
}

variable "http_reserved_concurrency" {
  description = "How many requests are answered at once, one an instance, each with up to database_pool_size connections; more get a 429. -1: as many as the account has left. 0: none, which drains it."
  type        = number
  default     = -1

  validation {
    condition     = var.http_reserved_concurrency >= -1 && var.http_reserved_concurrency == floor(var.http_reserved_concurrency)
    error_message = "Must be a whole number from 0, or -1 for no limit."
  }
}

variable "worker_timeout_seconds" {
  description = "What a background run has in one invocation; one that needs longer goes on in the next. The queue's visibility timeout is a minute more."
  type        = number
  default     = 900

  validation {
    condition     = var.worker_timeout_seconds >= 60 && var.worker_timeout_seconds <= 900 && var.worker_timeout_seconds == floor(var.worker_timeout_seconds)
    error_message = "Must be a whole number from 60 to 900."
  }
}

variable "worker_batch_size" {
  description = "How many runs share an invocation, its time and its memory."
  type        = number
  default     = 1

  validation {
    condition     = var.worker_batch_size >= 1 && var.worker_batch_size <= 10 && var.worker_batch_size == floor(var.worker_batch_size)
    error_message = "Must be a whole number from 1 to 10."
  }
}

variable "worker_max_concurrency" {
  description = "How many invocations work on background runs at once, and on runs whose stream was broken off (docs/aws-lambda.md, Clients that go away): as many as there are of both, as far as the database and the model can bear it."
  type        = number
  default     = 10

  validation {
    condition     = var.worker_max_concurrency >= 2 && var.worker_max_concurrency <= 1000 && var.worker_max_concurrency == floor(var.worker_max_concurrency)
    error_message = "Must be a whole number from 2 to 1000."
  }
}

variable "tick_minutes" {
  description = "How often the schedule looks for what is due and was not noticed: crons, retries, runs that a crash left. Each tick asks the database, which a paused Aurora or Neon wakes for: with 1 it never pauses."
  type        = number
  default     = 1

  validation {
    condition     = var.tick_minutes >= 1 && var.tick_minutes <= 60 && var.tick_minutes == floor(var.tick_minutes)
    error_message = "Must be a whole number from 1 to 60."
  }
}

variable "layers" {
  description = "ARNs of layers for each function, such as the one of OpenTelemetry."
  type        = list(string)
  default     = []
}

variable "environment" {
  description = "Variables that your graphs, LangSmith or OpenTelemetry read: OPENAI_API_KEY, LANGSMITH_API_KEY, OTEL_EXPORTER_OTLP_ENDPOINT. Lambda takes 4 KB in all."
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = length(setintersection(nonsensitive(keys(var.environment)), keys(merge(local.settings, local.wiring)))) == 0
    error_message = "Has settings that have variables of their own, or that this module sets: ${join(", ", setintersection(nonsensitive(keys(var.environment)), keys(merge(local.settings, local.wiring))))}."
  }

  validation {
    condition     = alltrue([for name in nonsensitive(keys(var.environment)) : !startswith(name, "AWS_") || contains(["AWS_LAMBDA_EXEC_WRAPPER", "AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING"], name)])
    error_message = "Names that begin with AWS_ are Lambda's own."
  }
}

# Who gets in

variable "function_url_auth" {
  description = "`NONE`: who calls is for the app to find out, by its keys or its `auth`, which the official SDKs can do; `AWS_IAM`: AWS refuses whoever does not sign as an identity of this account that may call it, which they cannot."
  type        = string
  default     = "NONE"

  validation {
    condition     = contains(["NONE", "AWS_IAM"], var.function_url_auth)
    error_message = "Must be one of NONE, AWS_IAM."
  }
}

variable "function_key" {
  description = "FUNCTION_KEY: what callers show as `x-functions-key`, unless the app has an `auth`. Without one, only what is `anonymous` is open. `openssl rand -hex 24` makes one."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.function_key == null ? true : length(var.function_key) >= 16
    error_message = "Must have 16 characters or more."
  }
}

variable "admin_key" {
  description = "ADMIN_KEY: opens graphs of the level `admin`, too."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.admin_key == null ? true : length(var.admin_key) >= 16
    error_message = "Must have 16 characters or more."
  }
}

# The app's settings: the README has a table of what they do

variable "database_pool_size" {
  description = "DATABASE_POOL_SIZE: connections of one sandbox."
  type        = number
  default     = 4

  validation {
    condition     = var.database_pool_size >= 1 && var.database_pool_size <= 100 && var.database_pool_size == floor(var.database_pool_size)
    error_message = "Must be a whole number from 1 to 100."
  }
}

variable "database_migrate" {
  description = "DATABASE_MIGRATE: whether the functions bring the schema up to date themselves."
  type        = bool
  default     = true
}

variable "database_timeout_seconds" {
  description = "DATABASE_TIMEOUT_SECONDS. By default 15, and 45 for an Aurora that may pause, as it takes some 15 s to wake."
  type        = number
  default     = null

  validation {
    condition     = var.database_timeout_seconds == null ? true : var.database_timeout_seconds >= 1 && var.database_timeout_seconds <= 600 && var.database_timeout_seconds == floor(var.database_timeout_seconds)
    error_message = "Must be a whole number from 1 to 600."
  }
}

variable "log_level" {
  description = "LOG_LEVEL. The schedule logs at `info` even if others say less: alarms read what it says of each tick."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warn", "error", "silent"], var.log_level)
    error_message = "Must be one of debug, info, warn, error, silent."
  }
}

variable "langgraph_config" {
  description = "LANGGRAPH_CONFIG: by graph, the config of its default assistant: { chat = { recursion_limit = 50 } }."
  type        = any
  default     = null
}

variable "encryption_keys" {
  description = "ENCRYPTION_KEYS: each `id:base64`, the one to encrypt with first."
  type        = list(string)
  default     = []
  sensitive   = true

  validation {
    condition     = alltrue([for key in var.encryption_keys : can(regex("^[\\w-]+:[A-Za-z0-9+/]{43}=$", key))])
    error_message = "Each must be an id, a colon, and 32 bytes in base64."
  }
}

variable "run_lease_seconds" {
  description = "RUN_LEASE_SECONDS: how long the executor of a run may give no sign of life before another one takes over."
  type        = number
  default     = 30

  validation {
    condition     = var.run_lease_seconds >= 3 && var.run_lease_seconds <= 600 && var.run_lease_seconds == floor(var.run_lease_seconds)
    error_message = "Must be a whole number from 3 to 600."
  }
}

variable "sign_of_life_seconds" {
  description = "SIGN_OF_LIFE_SECONDS: how long a stream lasts before its client is to show that it is there; 0 is off."
  type        = number
  default     = 60

  validation {
    condition     = var.sign_of_life_seconds >= 0 && var.sign_of_life_seconds <= 900 && var.sign_of_life_seconds == floor(var.sign_of_life_seconds)
    error_message = "Must be a whole number from 0 to 900."
  }
}

variable "event_retention_hours" {
  description = "EVENT_RETENTION_HOURS: how long what a run streamed can be read again after its end."
  type        = number
  default     = 24

  validation {
    condition     = var.event_retention_hours >= 1 && var.event_retention_hours <= 87600 && var.event_retention_hours == floor(var.event_retention_hours)
    error_message = "Must be a whole number from 1 to 87600."
  }
}

variable "webhook_secrets" {
  description = "WEBHOOK_SECRETS: each `whsec_` and base64; each signs."
  type        = list(string)
  default     = []
  sensitive   = true

  validation {
    condition     = alltrue([for secret in var.webhook_secrets : can(regex("^whsec_[A-Za-z0-9+/]+={0,2}$", secret))])
    error_message = "Each must be whsec_ and base64."
  }
}

variable "resume_link_secrets" {
  description = "RESUME_LINK_SECRETS: each of 32 bytes or more; the first signs, all are good. Without any, there are no resume links."
  type        = list(string)
  default     = []
  sensitive   = true

  validation {
    condition     = alltrue([for secret in var.resume_link_secrets : length(secret) >= 32 && !can(regex("[\\s,]", secret))])
    error_message = "Each must have 32 characters or more, without commas and white space."
  }
}

variable "public_url" {
  description = "PUBLIC_URL: where people reach what is served below the route prefix, such as https://agents.example.com/api. By default as requests say."
  type        = string
  default     = null

  validation {
    condition     = var.public_url == null ? true : can(regex("^https?://[^?#]+$", var.public_url))
    error_message = "Must be a URL like https://agents.example.com/api, without a query."
  }
}

# Logs and alarms

variable "log_retention_days" {
  description = "How long CloudWatch keeps logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Must be one of the numbers that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, …"
  }
}

variable "alarm_email" {
  description = "Who is told of alarms. AWS sends an e-mail first, with a link to confirm."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@\\s]+@[^@\\s]+$", var.alarm_email))
    error_message = "Must be an e-mail address."
  }
}

variable "alarm_actions" {
  description = "ARNs of what alarms set off besides: topics of your own."
  type        = list(string)
  default     = []
}

variable "waiting_run_alarm_seconds" {
  description = "The alarm goes off when a background run waits for longer to be begun."
  type        = number
  default     = 300

  validation {
    condition     = var.waiting_run_alarm_seconds >= 60
    error_message = "Must be 60 or more."
  }
}

variable "error_alarm_count" {
  description = "The alarm goes off when one function fails as often in five minutes: it crashed, ran out of time, or answered 500 and above."
  type        = number
  default     = 5

  validation {
    condition     = var.error_alarm_count >= 1
    error_message = "Must be 1 or more."
  }
}
