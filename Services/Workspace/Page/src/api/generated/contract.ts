// Written by build/contract.mjs out of schemas/openapi. Do not edit.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Nothing to say but that it was done. */
export type Empty = {

};

/** What every failure answers with. */
export type ErrorBody = {
  /** A stable name from schemas/errors.md; decide on this */
  error_code: string;
  /** What happened and what to do next */
  message: string;
  /** Name it when you ask for help */
  request_id: string;
  /** More for programs, by code */
  details?: Record<string, Json>;
};

/** What a cluster is asked to be. */
export type ClusterSpec = {
  /** A name for people */
  cluster_name: string;
  /** Which backend runs it; the first one of the cluster service when absent */
  backend?: string;
  /** Worker processes; 0 runs Spark inside the driver */
  num_workers?: number;
  /** Cores of the driver; the backend decides when absent */
  driver_cores?: number;
  /** Memory of the driver's JVM in MiB */
  driver_memory_mb?: number;
  /** Cores of each worker */
  worker_cores?: number;
  /** Memory of each worker in MiB */
  worker_memory_mb?: number;
  /** Spark properties, on top of ours */
  spark_conf?: Record<string, string>;
  /** Environment of the driver and its kernels; `{{secrets/scope/key}}` stands for a secret's value */
  spark_env_vars?: Record<string, string>;
  /** Names for finding and counting */
  custom_tags?: Record<string, string>;
  /** Ends after that long without activity; 0 never; 60 when absent */
  autotermination_minutes?: number;
  /** Run one after the other on the driver before Spark starts; one that fails ends the start */
  init_scripts?: Array<InitScript>;
  /** Installed at each start for this cluster alone, before a context gets its kernel */
  libraries?: Array<Library>;
};

/** Where a context stands. */
export type ContextState = "PENDING" | "RUNNING" | "ERROR" | "TERMINATED";

/** What a context is asked to be. */
export type ContextSpec = {
  /** Chosen by the caller, so that asking twice makes one; made up when absent */
  context_id?: string;
  /** python, sql, or the language of an installed kernel */
  language?: string;
  /** Name of an installed kernelspec; the one of the language when absent */
  kernel?: string;
  /** Values for widgets */
  parameters?: Record<string, string>;
};

/** A language session on a cluster, with variables and a SparkSession of its own. */
export type ContextInfo = {
  /** Its name */
  context_id: string;
  /** The cluster it lives on */
  cluster_id: string;
  /** Its default language */
  language: string;
  /** The kernelspec behind it */
  kernel: string;
  state: ContextState;
  /** Why it is in this state, when that is worth saying */
  message?: string;
  /** When it was made, milliseconds since 1970 UTC */
  created_time: number;
  /** When its last command ended, milliseconds since 1970 UTC */
  last_activity_time?: number;
  /** The command that runs now */
  running_command_id?: string;
  /** Commands that wait */
  queued_commands?: number;
};

/** The contexts of a cluster. */
export type ContextList = {
  /** All of them, oldest first */
  contexts: Array<ContextInfo>;
};

/** Where a command stands. */
export type CommandState = "QUEUED" | "RUNNING" | "CANCELLING" | "FINISHED" | "ERROR" | "CANCELLED";

/** Why a command failed. */
export type CommandError = {
  /** COMMAND_FAILED, KERNEL_DIED, DRIVER_LOST, TIMED_OUT, ... */
  code: string;
  /** The exception's class */
  name: string;
  /** Its text */
  message: string;
  /** As the kernel formats it, with ANSI colours */
  traceback?: Array<string>;
};

/** A piece of source to run. */
export type CommandSpec = {
  /** Chosen by the caller, so that asking twice runs it once; made up when absent */
  command_id?: string;
  /** python, sql, sh, md; the context's when absent */
  language?: string;
  /** The text to run */
  source: string;
  /** Interrupted after that long; 0 or absent for no limit */
  timeout_seconds?: number;
};

/** A command to run, or to go on listening to. */
export type CommandRun = {
  /** python, sql, sh, md; the context's when absent */
  language?: string;
  /** The text to run */
  source: string;
  /** Interrupted after that long; 0 or absent for no limit */
  timeout_seconds?: number;
  /** The last sequence number already seen; 0 or absent for all */
  after?: number;
};

/** A command and what became of it. */
export type CommandInfo = {
  /** Its name */
  command_id: string;
  /** Where it runs */
  context_id: string;
  /** On which cluster */
  cluster_id: string;
  /** Its language */
  language: string;
  state: CommandState;
  /** When it was asked for, milliseconds since 1970 UTC */
  submitted_time: number;
  /** When the kernel began, milliseconds since 1970 UTC */
  start_time?: number;
  /** When it ended, milliseconds since 1970 UTC */
  end_time?: number;
  /** The kernel's count */
  execution_count?: number;
  error?: CommandError;
  /** What the notebook ended itself with */
  exit_value?: string;
  /** The number of its newest event */
  last_sequence: number;
  /** Whether output was cut at its limit */
  truncated?: boolean;
};

/** What an event tells. */
export type CommandEventType = "STATE" | "STREAM" | "DISPLAY" | "UPDATE_DISPLAY" | "RESULT" | "ERROR" | "CLEAR_OUTPUT" | "EXIT" | "TRUNCATED" | (string & {});

/** One numbered thing that happened in a command. Which members are there depends on type. */
export type CommandEvent = {
  /** 1, 2, 3, ... within the command; resume after the last one seen */
  sequence: number;
  /** When it happened, milliseconds since 1970 UTC */
  timestamp: number;
  type: CommandEventType;
  /** STATE: the new state; the stream ends after a terminal one */
  state?: CommandState;
  /** STREAM: stdout or stderr */
  name?: string;
  /** STREAM: the text; EXIT: the value; TRUNCATED: what was left out and where the rest is */
  text?: string;
  /** DISPLAY, UPDATE_DISPLAY, RESULT: the bundle, as the Jupyter protocol has it */
  data?: Record<string, Json>;
  /** DISPLAY, UPDATE_DISPLAY, RESULT: metadata of the bundle */
  metadata?: Record<string, Json>;
  /** DISPLAY, UPDATE_DISPLAY: which display */
  display_id?: string;
  /** CLEAR_OUTPUT: clear only when the next output comes */
  wait?: boolean;
  /** RESULT, STATE: the count of the kernel */
  execution_count?: number;
  /** ERROR, and STATE when the state is ERROR */
  error?: CommandError;
};

/** The Spark application of a cluster. */
export type SparkInfo = {
  /** As 4.1.0 */
  version: string;
  /** Spark's own name for it */
  application_id: string;
  /** Where its own page is, as seen from the driver */
  ui_url?: string;
  /** Its master URL */
  master?: string;
};

/** How long one step of a start took. */
export type PhaseTiming = {
  /** Its name */
  name: string;
  /** How long it took */
  milliseconds: number;
};

/** A line of a log. */
export type LogLine = {
  /** Resume after the last one seen */
  sequence: number;
  /** When it was written, milliseconds since 1970 UTC */
  timestamp: number;
  /** driver, spark, worker-0, ... */
  source: string;
  /** The line */
  text: string;
  /** ERROR, WARN, INFO or DEBUG where the line says so */
  level?: string;
};

/** A piece of the output that a command's journal did not take. */
export type CommandOverflow = {
  /** Plain text */
  text: string;
  /** Where the piece begins, in bytes */
  offset: number;
  /** Where the next piece begins; absent at the end */
  next_offset?: number;
  /** Bytes that are kept so far */
  size: number;
};

/** A bash script for the start of a cluster: exactly one of content, workspace and file. */
export type InitScript = {
  /** What its log lines are marked with */
  name?: string;
  /** The script itself */
  content?: string;
  workspace?: ScriptLocation;
  file?: ScriptLocation;
};

/** Where a script is. */
export type ScriptLocation = {
  /** A path in the workspace, or a file of the driver's machine */
  destination: string;
};

/** A package from a Python package index. */
export type PyPILibrary = {
  /** As pip writes it, such as simplejson==3.19.2 */
  package: string;
  /** Another index than the default one */
  repo?: string;
};

/** What a cluster can be given beside its runtime: exactly one of pypi, whl, jar and requirements. */
export type Library = {
  pypi?: PyPILibrary;
  /** A wheel: a file of the driver's machine, or a URL */
  whl?: string;
  /** A jar: a file of the driver's machine, or a URL */
  jar?: string;
  /** A file of requirements on the driver's machine */
  requirements?: string;
};

/** How far a library is. */
export type LibraryInstallStatus = "PENDING" | "INSTALLING" | "INSTALLED" | "FAILED" | "UNINSTALL_ON_RESTART";

/** A library of a cluster and how far it is. */
export type LibraryFullStatus = {
  library: Library;
  status: LibraryInstallStatus;
  /** Why it failed: the installer's last lines */
  messages?: Array<string>;
};

/** What a path holds. */
export type ObjectType = "NOTEBOOK" | "DIRECTORY" | "FILE";

/** How a notebook is written as a file. AUTO looks at the name and the text. */
export type NotebookFormat = "AUTO" | "JUPYTER" | "SOURCE";

/** An entry of the tree. */
export type ObjectInfo = {
  /** Stays the same when it is moved */
  object_id: number;
  /** Where it is */
  path: string;
  object_type: ObjectType;
  /** NOTEBOOK: python, sql, ... */
  language?: string;
  /** NOTEBOOK: the newest revision */
  revision_id?: number;
  /** Bytes of the newest revision as it was imported */
  size?: number;
  /** When it was made, milliseconds since 1970 UTC */
  created_time: number;
  /** When it last changed, milliseconds since 1970 UTC */
  modified_time: number;
  /** Who changed it */
  modified_by?: string;
};

/** What a folder holds. */
export type ObjectList = {
  /** Folders first, then by name */
  objects: Array<ObjectInfo>;
  /** Send it as page_token for the next page; absent on the last */
  next_page_token?: string;
};

/** A file to put into the tree. */
export type ImportObject = {
  /** Where to put it */
  path: string;
  /** The file in base64 */
  content: string;
  format?: NotebookFormat;
  /** Of a SOURCE whose name does not tell */
  language?: string;
  /** Whether an existing notebook gets a new revision */
  overwrite?: boolean;
  /** Refuse if somebody has saved since this revision */
  expected_revision_id?: number;
};

/** A notebook as a file. */
export type ExportedObject = {
  /** The file in base64 */
  content: string;
  /** ipynb, py, sql, ... */
  file_type: string;
  /** Where it is */
  path: string;
  /** Which revision */
  revision_id: number;
};

/** A folder to make, with its parents. */
export type MakeDirectories = {
  /** The folder */
  path: string;
};

/** An entry to put into the trash. */
export type DeleteObject = {
  /** The entry */
  path: string;
  /** Also a folder that is not empty */
  recursive?: boolean;
};

/** An entry to move or rename. */
export type MoveObject = {
  /** Where it is */
  source_path: string;
  /** Where it shall be */
  destination_path: string;
};

/** One saved state of a notebook. */
export type RevisionInfo = {
  /** Grows with each save */
  revision_id: number;
  /** Of which notebook */
  notebook_id: number;
  /** When it was saved, milliseconds since 1970 UTC */
  created_time: number;
  /** Who saved it */
  created_by?: string;
  /** SHA-256 of the content, in hexadecimal */
  content_hash: string;
  /** Bytes */
  size: number;
  /** Why it was saved */
  message?: string;
};

/** Revisions of a notebook. */
export type RevisionList = {
  /** Newest first */
  revisions: Array<RevisionInfo>;
  /** Send it as page_token for the next page; absent on the last */
  next_page_token?: string;
};

/** What a cell is. */
export type CellKind = "CODE" | "MARKDOWN" | "RAW";

/** A cell to run or to show. */
export type NotebookCell = {
  /** Stays with the cell */
  cell_id: string;
  kind: CellKind;
  /** python, sql, sh, md, ... */
  language: string;
  /** What is run: the text without its magic line */
  source: string;
  /** A title given to the cell */
  title?: string;
};

/** A frozen revision, ready to be run. */
export type NotebookContent = {
  /** Which notebook */
  notebook_id: number;
  /** Which revision */
  revision_id: number;
  /** Where it was */
  path: string;
  /** Its default language */
  language: string;
  /** In order */
  cells: Array<NotebookCell>;
  /** The notebook in nbformat 4 */
  document: Json;
};

/** Who is asking. */
export type Me = {
  /** The name of the user */
  user_name: string;
  /** Which token was shown */
  token_name?: string;
};

/** A scope to make. */
export type CreateSecretScope = {
  /** Letters, digits, dashes, underscores and dots */
  scope: string;
};

/** A scope to delete. */
export type DeleteSecretScope = {
  /** The scope */
  scope: string;
};

/** A scope of secrets. */
export type SecretScope = {
  /** Its name */
  name: string;
  /** DATABASE: kept encrypted in the workspace's database */
  backend_type: string;
  /** Who made it */
  creator_user_name?: string;
  /** When it was made, milliseconds since 1970 UTC */
  created_time?: number;
};

/** The scopes of secrets. */
export type SecretScopeList = {
  /** By name */
  scopes: Array<SecretScope>;
};

/** A secret to keep. */
export type PutSecret = {
  /** The scope */
  scope: string;
  /** Letters, digits, dashes, underscores and dots */
  key: string;
  /** The value; 128 KiB at most */
  string_value: string;
};

/** A secret to delete. */
export type DeleteSecret = {
  /** The scope */
  scope: string;
  /** The key */
  key: string;
};

/** A secret without its value. */
export type SecretMetadata = {
  /** Its key */
  key: string;
  /** When it was last put, milliseconds since 1970 UTC */
  last_updated_timestamp: number;
};

/** The secrets of a scope. */
export type SecretList = {
  /** By key */
  secrets: Array<SecretMetadata>;
};

/** Names a secret. */
export type SecretReference = {
  /** The scope */
  scope: string;
  /** The key */
  key: string;
};

/** Secrets to reveal to a service. */
export type ResolveSecrets = {
  /** Which */
  secrets: Array<SecretReference>;
};

/** A secret. */
export type ResolvedSecret = {
  /** The scope */
  scope: string;
  /** The key */
  key: string;
  /** The value */
  value: string;
};

/** Secrets revealed to a service. */
export type ResolvedSecrets = {
  /** In the order they were asked for */
  secrets: Array<ResolvedSecret>;
};

/** What a browser shows to be signed in. */
export type SignIn = {
  /** A token of the user's */
  token: string;
};

/** A browser that is signed in. */
export type Session = {
  /** The name of the user */
  user_name: string;
  /** To be sent as x-csrf-token with everything that changes something */
  csrf_token: string;
  /** When the cookie ends, milliseconds since 1970 UTC */
  expires_time: number;
};

/** A task that has to succeed first. */
export type TaskDependency = {
  /** Which task */
  task_key: string;
};

/** Run a notebook of the workspace. */
export type NotebookTask = {
  /** Where it is */
  notebook_path: string;
  /** Values for its widgets */
  base_parameters?: Record<string, string>;
};

/** One node of the task graph. */
export type TaskSpec = {
  /** Its name within the job */
  task_key: string;
  /** For people */
  description?: string;
  /** What has to succeed first */
  depends_on?: Array<TaskDependency>;
  notebook_task: NotebookTask;
  /** Run on this cluster */
  existing_cluster_id?: string;
  /** Run on this cluster of the job */
  job_cluster_key?: string;
  /** Run on a cluster of its own */
  new_cluster?: ClusterSpec;
  /** Each attempt ends after that long; 0 or absent for no limit */
  timeout_seconds?: number;
  /** How many more attempts after a failure */
  max_retries?: number;
  /** How long to wait before the next attempt */
  min_retry_interval_millis?: number;
  /** Whether an attempt that ran out of time is tried again */
  retry_on_timeout?: boolean;
};

/** A cluster that tasks of one run share. */
export type JobCluster = {
  /** Its name within the job */
  job_cluster_key: string;
  new_cluster: ClusterSpec;
};

/** Whether a schedule fires. */
export type PauseStatus = "UNPAUSED" | "PAUSED";

/** When a job runs by itself. */
export type JobSchedule = {
  /** Quartz with 6 or 7 fields, or cron with 5 */
  quartz_cron_expression: string;
  /** A name of the zone database, such as Europe/Berlin */
  timezone_id: string;
  pause_status?: PauseStatus;
};

/** A value that runs may change. */
export type JobParameter = {
  /** Its name */
  name: string;
  /** What it is when a run does not say */
  default: string;
};

/** What a job does and when. */
export type JobSpec = {
  /** For people */
  name: string;
  /** For people */
  description?: string;
  /** The nodes of the graph */
  tasks: Array<TaskSpec>;
  /** Clusters that tasks share */
  job_clusters?: Array<JobCluster>;
  schedule?: JobSchedule;
  /** Given to every task as widgets */
  parameters?: Array<JobParameter>;
  /** More wait in a queue; 1 when absent */
  max_concurrent_runs?: number;
  /** The run ends after that long; 0 or absent for no limit */
  timeout_seconds?: number;
  /** Names for finding */
  tags?: Record<string, string>;
};

/** A job as it stands. */
export type Job = {
  /** Its name for programs */
  job_id: number;
  /** Who made it */
  creator_user_name: string;
  /** When it was made, milliseconds since 1970 UTC */
  created_time: number;
  /** When it last changed, milliseconds since 1970 UTC */
  updated_time: number;
  /** When its schedule fires next, milliseconds since 1970 UTC */
  next_fire_time?: number;
  settings: JobSpec;
};

/** A page of jobs. */
export type JobList = {
  /** Newest first */
  jobs: Array<Job>;
  /** Send it as page_token for the next page; absent on the last */
  next_page_token?: string;
};

/** How to run a job now. */
export type RunNow = {
  /** The same token gives the same run */
  idempotency_token?: string;
  /** Instead of the defaults */
  parameters?: Record<string, string>;
};

/** A run without a job. */
export type SubmitRun = {
  /** For people */
  run_name: string;
  /** The nodes of the graph */
  tasks: Array<TaskSpec>;
  /** Clusters that tasks share */
  job_clusters?: Array<JobCluster>;
  /** Given to every task as widgets */
  parameters?: Record<string, string>;
  /** The run ends after that long */
  timeout_seconds?: number;
  /** The same token gives the same run */
  idempotency_token?: string;
};

/** The run that was made, or the one the token had made. */
export type RunCreated = {
  /** Its name for programs */
  run_id: number;
};

/** Where a run or task stands, as Databricks names it. */
export type LifeCycleState = "QUEUED" | "BLOCKED" | "PENDING" | "RUNNING" | "WAITING_FOR_RETRY" | "TERMINATING" | "TERMINATED" | "SKIPPED" | "INTERNAL_ERROR";

/** How it ended. */
export type ResultState = "SUCCESS" | "FAILED" | "TIMEDOUT" | "CANCELED" | "UPSTREAM_FAILED" | "UPSTREAM_CANCELED";

/** State, result and words. */
export type RunState = {
  life_cycle_state: LifeCycleState;
  result_state?: ResultState;
  /** What it waits for, or why it ended so */
  state_message: string;
  /** A stable name of the failure */
  error_code?: string;
};

/** What made a run. */
export type TriggerType = "PERIODIC" | "ONE_TIME" | "RUN_SUBMIT" | "RETRY";

/** One try at a task. */
export type Attempt = {
  /** 0 for the first */
  attempt_number: number;
  /** Names its context and commands */
  attempt_id: string;
  state: RunState;
  /** Where it runs */
  cluster_id?: string;
  /** When it was claimed, milliseconds since 1970 UTC */
  start_time?: number;
  /** When its first cell began, milliseconds since 1970 UTC */
  execution_time?: number;
  /** When it ended, milliseconds since 1970 UTC */
  end_time?: number;
};

/** A task of a run. */
export type RunTask = {
  /** Its name */
  task_key: string;
  /** What has to succeed first */
  depends_on?: Array<TaskDependency>;
  /** The notebook */
  notebook_path?: string;
  /** The frozen revision */
  revision_id?: number;
  state: RunState;
  /** First to last */
  attempts: Array<Attempt>;
  /** When its first attempt began, milliseconds since 1970 UTC */
  start_time?: number;
  /** When it ended, milliseconds since 1970 UTC */
  end_time?: number;
  /** What the notebook ended itself with */
  exit_value?: string;
};

/** One run of a job. */
export type Run = {
  /** Its name for programs */
  run_id: number;
  /** Absent for a run without a job */
  job_id?: number;
  /** For people */
  run_name: string;
  state: RunState;
  trigger: TriggerType;
  /** Who asked for it */
  creator_user_name: string;
  /** PERIODIC: the time it was due, milliseconds since 1970 UTC */
  fire_time?: number;
  /** When it was made, milliseconds since 1970 UTC */
  created_time: number;
  /** When its first task began, milliseconds since 1970 UTC */
  start_time?: number;
  /** When it ended, milliseconds since 1970 UTC */
  end_time?: number;
  /** As given to the tasks */
  parameters?: Record<string, string>;
  /** In the order of the job */
  tasks: Array<RunTask>;
  /** Its address below the front door */
  run_page_path?: string;
  /** Number of its newest event */
  last_sequence?: number;
};

/** A page of runs. */
export type RunList = {
  /** Newest first */
  runs: Array<Run>;
  /** Send it as page_token for the next page; absent on the last */
  next_page_token?: string;
};

/** What an attempt left behind. */
export type TaskOutput = {
  /** Which run */
  run_id: number;
  /** Which task */
  task_key: string;
  /** Which attempt */
  attempt_number: number;
  state: RunState;
  /** What the notebook ended itself with */
  exit_value?: string;
  error?: CommandError;
  /** The executed notebook with its outputs, nbformat 4 */
  notebook?: Json;
  /** Whether output was cut at its limit */
  truncated: boolean;
};

/** What an event tells. */
export type RunEventType = "RUN_STATE" | "TASK_STATE" | "ATTEMPT_STATE" | "CELL" | (string & {});

/** One numbered thing that happened in a run. */
export type RunEvent = {
  /** 1, 2, 3, ... within the run; resume after the last one seen */
  sequence: number;
  /** When, milliseconds since 1970 UTC */
  timestamp: number;
  type: RunEventType;
  /** Which task */
  task_key?: string;
  /** Which attempt */
  attempt_number?: number;
  state?: RunState;
  /** CELL: which cell */
  cell_id?: string;
  /** CELL: its output */
  event?: CommandEvent;
};

/** Where a cluster stands, as Databricks names it. */
export type ClusterState = "PENDING" | "RUNNING" | "RESTARTING" | "RESIZING" | "TERMINATING" | "TERMINATED" | "ERROR";

/** Whose doing an end was. */
export type TerminationType = "SUCCESS" | "CLIENT_ERROR" | "SERVICE_FAULT" | "CLOUD_FAILURE";

/** Why a cluster ended. */
export type TerminationReason = {
  /** USER_REQUEST, INACTIVITY, JOB_FINISHED, DRIVER_UNREACHABLE, SPARK_STARTUP_FAILURE, INVALID_ARGUMENT, ... */
  code: string;
  type: TerminationType;
  /** Details by name */
  parameters?: Record<string, string>;
};

/** A cluster to make. */
export type CreateCluster = {
  spec: ClusterSpec;
  /** Chosen by the caller, so that asking twice makes one; made up when absent */
  cluster_id?: string;
  /** What it was made for, such as run/17; it is ended with JOB_FINISHED by that owner */
  owner?: string;
};

/** A cluster and its state. */
export type ClusterInfo = {
  /** Its name for programs */
  cluster_id: string;
  spec: ClusterSpec;
  /** Which backend runs it */
  backend: string;
  state: ClusterState;
  /** What it is doing, in words; empty when there is nothing to say */
  state_message: string;
  termination_reason?: TerminationReason;
  /** Who made it */
  creator_user_name: string;
  /** What it was made for */
  owner?: string;
  /** When it was asked for, milliseconds since 1970 UTC */
  start_time: number;
  /** When it was last RUNNING, milliseconds since 1970 UTC */
  ready_time?: number;
  /** When it ended, milliseconds since 1970 UTC */
  terminated_time?: number;
  /** When it was last used, milliseconds since 1970 UTC */
  last_activity_time: number;
  /** When it will end if nothing uses it; absent while it is busy, milliseconds since 1970 UTC */
  autotermination_time?: number;
  /** What the last start took */
  phases?: Array<PhaseTiming>;
  spark?: SparkInfo;
  /** How many contexts there are */
  contexts?: number;
  /** Executors alive */
  executors?: number;
};

/** A page of clusters. */
export type ClusterList = {
  /** Newest first */
  clusters: Array<ClusterInfo>;
  /** Send it as page_token for the next page; absent on the last */
  next_page_token?: string;
};

/** Something that happened to a cluster. */
export type ClusterEvent = {
  /** Grows within the cluster */
  event_id: number;
  /** Which cluster */
  cluster_id: string;
  /** When, milliseconds since 1970 UTC */
  timestamp: number;
  /** CREATING, STARTING, RUNNING, TERMINATING, DRIVER_UNAVAILABLE, ... */
  type: string;
  /** In words */
  message?: string;
  /** By name */
  details?: Record<string, string>;
};

/** A page of events. */
export type ClusterEventList = {
  /** Newest first */
  events: Array<ClusterEvent>;
  /** Send it as page_token for the next page; absent on the last */
  next_page_token?: string;
};

/** How to end a cluster. */
export type TerminateCluster = {
  /** A termination code; USER_REQUEST when absent */
  reason?: string;
};

/** A place where clusters can run. */
export type BackendInfo = {
  /** As a spec names it */
  name: string;
  /** Whether it can take a cluster now */
  available: boolean;
  /** Why not, and what to do */
  message?: string;
  /** What it can do */
  capabilities?: Array<string>;
  /** What was looked at */
  checks?: Array<BackendCheck>;
  /** The most workers of one cluster */
  maximum_workers?: number;
  /** The most cores of one node, where there is a bound */
  maximum_cores?: number;
  /** The most memory of one node in MiB, where there is a bound */
  maximum_memory_mb?: number;
  /** The least memory of one node in MiB */
  minimum_memory_mb?: number;
};

/** All backends. */
export type BackendList = {
  /** The default first */
  backends: Array<BackendInfo>;
};

/** What scraping the driver of a cluster has given. */
export type DriverScrape = {
  /** Which cluster */
  cluster_id: string;
  /** In Prometheus' text format; absent when the driver did not answer */
  text?: string;
  /** Why it did not answer */
  message?: string;
};

/** The metrics of all drivers that run. */
export type DriverScrapeList = {
  /** By cluster */
  clusters: Array<DriverScrape>;
};

/** The kept log of one start of a cluster. */
export type ClusterLogStart = {
  /** Which start, counted from 1 */
  start: number;
  /** Its first line, milliseconds since 1970 UTC */
  first_time?: number;
  /** Its newest line, milliseconds since 1970 UTC */
  last_time?: number;
  /** Lines that are kept */
  lines: number;
  /** What they take on disk */
  bytes: number;
};

/** The kept logs of a cluster. */
export type ClusterLogList = {
  /** Newest start first */
  starts: Array<ClusterLogStart>;
};

/** Libraries of a cluster. */
export type ClusterLibraries = {
  /** The cluster */
  cluster_id: string;
  /** Which */
  libraries: Array<Library>;
};

/** The libraries of a cluster and how far they are. */
export type ClusterLibraryStatuses = {
  /** The cluster */
  cluster_id: string;
  /** In the order of their installation */
  library_statuses: Array<LibraryFullStatus>;
};

/** One thing that was looked at before a start. */
export type BackendCheck = {
  /** Such as java, python, memory, engine */
  name: string;
  /** Whether it is as it should be */
  passed: boolean;
  /** What was found, and what to do when it did not pass */
  message: string;
};

/** What the last scrape found. */
export type TargetHealth = "UP" | "DOWN" | "UNKNOWN";

/** A process that is scraped. */
export type Target = {
  /** Its instance */
  name: string;
  /** workspace, scheduler, cluster, monitoring, driver, ... */
  job: string;
  /** Where its metrics are */
  url: string;
  health: TargetHealth;
  /** What /readyz said */
  ready?: boolean;
  /** Why it is down */
  message?: string;
  /** When it was last scraped, milliseconds since 1970 UTC */
  last_scrape_time?: number;
  /** How long that took */
  scrape_milliseconds?: number;
  /** How many samples it gave */
  samples?: number;
};

/** All targets. */
export type TargetList = {
  /** By job and name */
  targets: Array<Target>;
};

/** Names of the metrics in the history. */
export type MetricNameList = {
  /** Sorted */
  names: Array<string>;
};

/** A value at a time. */
export type Sample = {
  /** When, milliseconds since 1970 UTC */
  timestamp: number;
  /** The value; not-a-number and infinities are left out */
  value: number;
};

/** A metric with one set of labels. */
export type Series = {
  /** The metric */
  name: string;
  /** Its labels */
  labels: Record<string, string>;
  /** Oldest first */
  samples: Array<Sample>;
};

/** The answer to a query. */
export type SeriesList = {
  /** By labels */
  series: Array<Series>;
  /** Whether there was more than the limit */
  truncated?: boolean;
};

/** What each operation takes and gives. */
export interface Operations {
  getMe: { kind: "call"; input: {  }; output: Me };
  getSession: { kind: "call"; input: {  }; output: Session };
  createSession: { kind: "call"; input: { body: SignIn }; output: Session };
  deleteSession: { kind: "call"; input: {  }; output: Empty };
  importObject: { kind: "call"; input: { body: ImportObject }; output: ObjectInfo };
  exportObject: { kind: "call"; input: { "path": string; "format"?: NotebookFormat; "revision_id"?: number }; output: ExportedObject };
  listObjects: { kind: "call"; input: { "page_size"?: number; "page_token"?: string; "path": string }; output: ObjectList };
  getObject: { kind: "call"; input: { "path": string }; output: ObjectInfo };
  makeDirectories: { kind: "call"; input: { body: MakeDirectories }; output: ObjectInfo };
  deleteObject: { kind: "call"; input: { body: DeleteObject }; output: Empty };
  moveObject: { kind: "call"; input: { body: MoveObject }; output: ObjectInfo };
  getNotebook: { kind: "call"; input: { "notebook_id": number; "revision_id"?: number }; output: NotebookContent };
  listRevisions: { kind: "call"; input: { "notebook_id": number; "page_size"?: number; "page_token"?: string }; output: RevisionList };
  createSecretScope: { kind: "call"; input: { body: CreateSecretScope }; output: Empty };
  deleteSecretScope: { kind: "call"; input: { body: DeleteSecretScope }; output: Empty };
  listSecretScopes: { kind: "call"; input: {  }; output: SecretScopeList };
  putSecret: { kind: "call"; input: { body: PutSecret }; output: Empty };
  deleteSecret: { kind: "call"; input: { body: DeleteSecret }; output: Empty };
  listSecrets: { kind: "call"; input: { "scope": string }; output: SecretList };
  listJobs: { kind: "call"; input: { "page_size"?: number; "page_token"?: string; "name"?: string }; output: JobList };
  createJob: { kind: "call"; input: { body: JobSpec }; output: Job };
  getJob: { kind: "call"; input: { "job_id": number }; output: Job };
  updateJob: { kind: "call"; input: { "job_id": number; body: JobSpec }; output: Job };
  deleteJob: { kind: "call"; input: { "job_id": number }; output: Empty };
  runNow: { kind: "call"; input: { "job_id": number; body: RunNow }; output: RunCreated };
  submitRun: { kind: "call"; input: { body: SubmitRun }; output: RunCreated };
  listRuns: { kind: "call"; input: { "page_size"?: number; "page_token"?: string; "job_id"?: number; "active_only"?: boolean }; output: RunList };
  getRun: { kind: "call"; input: { "run_id": number }; output: Run };
  cancelRun: { kind: "call"; input: { "run_id": number }; output: Run };
  getTaskOutput: { kind: "call"; input: { "run_id": number; "task_key": string; "attempt_number"?: number }; output: TaskOutput };
  streamRunEvents: { kind: "stream"; input: { "run_id": number; "after"?: number }; output: RunEvent };
  listClusters: { kind: "call"; input: { "page_size"?: number; "page_token"?: string; "state"?: string }; output: ClusterList };
  createCluster: { kind: "call"; input: { body: CreateCluster }; output: ClusterInfo };
  getCluster: { kind: "call"; input: { "cluster_id": string }; output: ClusterInfo };
  deleteCluster: { kind: "call"; input: { "cluster_id": string }; output: Empty };
  startCluster: { kind: "call"; input: { "cluster_id": string }; output: ClusterInfo };
  terminateCluster: { kind: "call"; input: { "cluster_id": string; body: TerminateCluster }; output: ClusterInfo };
  watchCluster: { kind: "stream"; input: { "cluster_id": string }; output: ClusterInfo };
  listClusterEvents: { kind: "call"; input: { "cluster_id": string; "page_size"?: number; "page_token"?: string }; output: ClusterEventList };
  streamClusterLogs: { kind: "stream"; input: { "cluster_id": string; "after"?: number; "follow"?: boolean; "start"?: number; "contains"?: string; "level"?: string; "source"?: string; "since"?: number; "until"?: number }; output: LogLine };
  listContexts: { kind: "call"; input: { "cluster_id": string }; output: ContextList };
  createContext: { kind: "call"; input: { "cluster_id": string; body: ContextSpec }; output: ContextInfo };
  getContext: { kind: "call"; input: { "cluster_id": string; "context_id": string }; output: ContextInfo };
  deleteContext: { kind: "call"; input: { "cluster_id": string; "context_id": string }; output: Empty };
  executeCommand: { kind: "call"; input: { "cluster_id": string; "context_id": string; body: CommandSpec }; output: CommandInfo };
  getCommand: { kind: "call"; input: { "cluster_id": string; "context_id": string; "command_id": string }; output: CommandInfo };
  cancelCommand: { kind: "call"; input: { "cluster_id": string; "context_id": string; "command_id": string }; output: CommandInfo };
  streamCommandEvents: { kind: "stream"; input: { "cluster_id": string; "context_id": string; "command_id": string; "after"?: number }; output: CommandEvent };
  runCommand: { kind: "stream"; input: { "cluster_id": string; "context_id": string; "command_id": string; body: CommandRun }; output: CommandEvent };
  listBackends: { kind: "call"; input: {  }; output: BackendList };
  listClusterLogs: { kind: "call"; input: { "cluster_id": string }; output: ClusterLogList };
  readCommandOverflow: { kind: "call"; input: { "cluster_id": string; "context_id": string; "command_id": string; "offset"?: number }; output: CommandOverflow };
  installLibraries: { kind: "call"; input: { body: ClusterLibraries }; output: Empty };
  uninstallLibraries: { kind: "call"; input: { body: ClusterLibraries }; output: Empty };
  listLibraryStatuses: { kind: "call"; input: { "cluster_id": string }; output: ClusterLibraryStatuses };
  listTargets: { kind: "call"; input: {  }; output: TargetList };
  listMetricNames: { kind: "call"; input: {  }; output: MetricNameList };
  queryMetrics: { kind: "call"; input: { "name": string; "match"?: string; "start"?: number; "end"?: number; "step_milliseconds"?: number }; output: SeriesList };
}

export interface Route { method: string; path: string; query: string[]; repeats: boolean }

export const routes: Record<keyof Operations, Route> = {
  getMe: { method: "GET", path: "/api/v1/me", query: [], repeats: true },
  getSession: { method: "GET", path: "/api/v1/session", query: [], repeats: true },
  createSession: { method: "POST", path: "/api/v1/session", query: [], repeats: true },
  deleteSession: { method: "DELETE", path: "/api/v1/session", query: [], repeats: true },
  importObject: { method: "POST", path: "/api/v1/workspace/import", query: [], repeats: false },
  exportObject: { method: "GET", path: "/api/v1/workspace/export", query: ["path", "format", "revision_id"], repeats: true },
  listObjects: { method: "GET", path: "/api/v1/workspace/list", query: ["page_size", "page_token", "path"], repeats: true },
  getObject: { method: "GET", path: "/api/v1/workspace/get-status", query: ["path"], repeats: true },
  makeDirectories: { method: "POST", path: "/api/v1/workspace/mkdirs", query: [], repeats: true },
  deleteObject: { method: "POST", path: "/api/v1/workspace/delete", query: [], repeats: false },
  moveObject: { method: "POST", path: "/api/v1/workspace/move", query: [], repeats: false },
  getNotebook: { method: "GET", path: "/api/v1/notebooks/{notebook_id}", query: ["revision_id"], repeats: true },
  listRevisions: { method: "GET", path: "/api/v1/notebooks/{notebook_id}/revisions", query: ["page_size", "page_token"], repeats: true },
  createSecretScope: { method: "POST", path: "/api/v1/secrets/scopes/create", query: [], repeats: false },
  deleteSecretScope: { method: "POST", path: "/api/v1/secrets/scopes/delete", query: [], repeats: false },
  listSecretScopes: { method: "GET", path: "/api/v1/secrets/scopes/list", query: [], repeats: true },
  putSecret: { method: "POST", path: "/api/v1/secrets/put", query: [], repeats: true },
  deleteSecret: { method: "POST", path: "/api/v1/secrets/delete", query: [], repeats: false },
  listSecrets: { method: "GET", path: "/api/v1/secrets/list", query: ["scope"], repeats: true },
  listJobs: { method: "GET", path: "/api/v1/jobs", query: ["page_size", "page_token", "name"], repeats: true },
  createJob: { method: "POST", path: "/api/v1/jobs", query: [], repeats: false },
  getJob: { method: "GET", path: "/api/v1/jobs/{job_id}", query: [], repeats: true },
  updateJob: { method: "PUT", path: "/api/v1/jobs/{job_id}", query: [], repeats: true },
  deleteJob: { method: "DELETE", path: "/api/v1/jobs/{job_id}", query: [], repeats: true },
  runNow: { method: "POST", path: "/api/v1/jobs/{job_id}/run-now", query: [], repeats: false },
  submitRun: { method: "POST", path: "/api/v1/runs/submit", query: [], repeats: false },
  listRuns: { method: "GET", path: "/api/v1/runs", query: ["page_size", "page_token", "job_id", "active_only"], repeats: true },
  getRun: { method: "GET", path: "/api/v1/runs/{run_id}", query: [], repeats: true },
  cancelRun: { method: "POST", path: "/api/v1/runs/{run_id}/cancel", query: [], repeats: true },
  getTaskOutput: { method: "GET", path: "/api/v1/runs/{run_id}/tasks/{task_key}/output", query: ["attempt_number"], repeats: true },
  streamRunEvents: { method: "GET", path: "/api/v1/runs/{run_id}/events", query: ["after"], repeats: true },
  listClusters: { method: "GET", path: "/api/v1/clusters", query: ["page_size", "page_token", "state"], repeats: true },
  createCluster: { method: "POST", path: "/api/v1/clusters", query: [], repeats: false },
  getCluster: { method: "GET", path: "/api/v1/clusters/{cluster_id}", query: [], repeats: true },
  deleteCluster: { method: "DELETE", path: "/api/v1/clusters/{cluster_id}", query: [], repeats: true },
  startCluster: { method: "POST", path: "/api/v1/clusters/{cluster_id}/start", query: [], repeats: true },
  terminateCluster: { method: "POST", path: "/api/v1/clusters/{cluster_id}/terminate", query: [], repeats: true },
  watchCluster: { method: "GET", path: "/api/v1/clusters/{cluster_id}/watch", query: [], repeats: true },
  listClusterEvents: { method: "GET", path: "/api/v1/clusters/{cluster_id}/events", query: ["page_size", "page_token"], repeats: true },
  streamClusterLogs: { method: "GET", path: "/api/v1/clusters/{cluster_id}/logs", query: ["after", "follow", "start", "contains", "level", "source", "since", "until"], repeats: true },
  listContexts: { method: "GET", path: "/api/v1/clusters/{cluster_id}/contexts", query: [], repeats: true },
  createContext: { method: "POST", path: "/api/v1/clusters/{cluster_id}/contexts", query: [], repeats: true },
  getContext: { method: "GET", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}", query: [], repeats: true },
  deleteContext: { method: "DELETE", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}", query: [], repeats: true },
  executeCommand: { method: "POST", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}/commands", query: [], repeats: true },
  getCommand: { method: "GET", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}/commands/{command_id}", query: [], repeats: true },
  cancelCommand: { method: "POST", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}/commands/{command_id}/cancel", query: [], repeats: true },
  streamCommandEvents: { method: "GET", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}/commands/{command_id}/events", query: ["after"], repeats: true },
  runCommand: { method: "POST", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}/commands/{command_id}/run", query: [], repeats: true },
  listBackends: { method: "GET", path: "/api/v1/backends", query: [], repeats: true },
  listClusterLogs: { method: "GET", path: "/api/v1/clusters/{cluster_id}/logs/starts", query: [], repeats: true },
  readCommandOverflow: { method: "GET", path: "/api/v1/clusters/{cluster_id}/contexts/{context_id}/commands/{command_id}/overflow", query: ["offset"], repeats: true },
  installLibraries: { method: "POST", path: "/api/v1/libraries/install", query: [], repeats: true },
  uninstallLibraries: { method: "POST", path: "/api/v1/libraries/uninstall", query: [], repeats: true },
  listLibraryStatuses: { method: "GET", path: "/api/v1/libraries/cluster-status", query: ["cluster_id"], repeats: true },
  listTargets: { method: "GET", path: "/api/v1/monitoring/services", query: [], repeats: true },
  listMetricNames: { method: "GET", path: "/api/v1/monitoring/metrics", query: [], repeats: true },
  queryMetrics: { method: "GET", path: "/api/v1/monitoring/metrics/history", query: ["name", "match", "start", "end", "step_milliseconds"], repeats: true },
};
