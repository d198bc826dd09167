"""The peer of `benchmarks service`: the same two endpoints with FastAPI, pydantic and asyncpg.

fastapi.sh runs it under uvicorn, with uvloop and httptools, one worker, without an access log.
"""

import os
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

TOKEN = os.environ["BENCHMARK_TOKEN"]
DATABASE = os.environ.get("BENCHMARK_DATABASE")


class NotebookTask(BaseModel):
    notebook_path: str
    base_parameters: dict[str, str] | None = None


class TaskDependency(BaseModel):
    task_key: str


class TaskSpec(BaseModel):
    task_key: str
    description: str | None = None
    depends_on: list[TaskDependency] | None = None
    notebook_task: NotebookTask
    job_cluster_key: str | None = None
    timeout_seconds: int | None = None
    max_retries: int | None = None


class JobSchedule(BaseModel):
    quartz_cron_expression: str
    timezone_id: str
    pause_status: str | None = None


class JobParameter(BaseModel):
    name: str
    default: str


class JobSpec(BaseModel):
    name: str
    description: str | None = None
    tasks: list[TaskSpec]
    schedule: JobSchedule | None = None
    parameters: list[JobParameter] | None = None
    max_concurrent_runs: int | None = None
    tags: dict[str, str] | None = None


class Job(BaseModel):
    job_id: int
    creator_user_name: str
    created_time: int
    updated_time: int
    next_fire_time: int | None = None
    settings: JobSpec


class RunState(BaseModel):
    life_cycle_state: str
    state_message: str


class Run(BaseModel):
    run_id: int
    run_name: str
    state: RunState
    trigger: str
    creator_user_name: str
    created_time: int
    tasks: list[dict]


SETTINGS = JobSpec(
    name="Nightly load of region 1",
    tasks=[
        TaskSpec(
            task_key="extract",
            notebook_task=NotebookTask(
                notebook_path="/Shared/nightly/extract",
                base_parameters={"day": "2026-11-21", "source": "s3://raw"},
            ),
            job_cluster_key="small",
            timeout_seconds=3600,
            max_retries=2,
        ),
        TaskSpec(
            task_key="load",
            depends_on=[TaskDependency(task_key="extract")],
            notebook_task=NotebookTask(notebook_path="/Shared/nightly/load"),
            job_cluster_key="small",
        ),
    ],
    schedule=JobSchedule(
        quartz_cron_expression="0 0 2 * * ?", timezone_id="Europe/Berlin", pause_status="UNPAUSED"
    ),
    parameters=[JobParameter(name="day", default="2026-11-21")],
    max_concurrent_runs=1,
    tags={"team": "logistics", "stage": "production"},
)


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.pool = None
    if DATABASE:
        app.state.pool = await asyncpg.create_pool(DATABASE, min_size=8, max_size=8)
    yield
    if app.state.pool:
        await app.state.pool.close()


app = FastAPI(lifespan=lifespan)
bearer = HTTPBearer()


def authenticated(credentials: HTTPAuthorizationCredentials = Security(bearer)) -> None:
    if credentials.credentials != TOKEN:
        raise HTTPException(401, "The token is not valid.")


@app.get("/api/v1/jobs/{job_id}", response_model=Job, response_model_exclude_none=True)
async def get_job(job_id: int, _: None = Security(authenticated)) -> Job:
    return Job(
        job_id=job_id,
        creator_user_name="ada.lovelace@example.org",
        created_time=1763600000123,
        updated_time=1763700000456,
        settings=SETTINGS,
    )


@app.get("/api/v1/runs/{run_id}", response_model=Run)
async def get_run(run_id: int, request: Request, _: None = Security(authenticated)) -> Run:
    row = await request.app.state.pool.fetchrow(
        "SELECT run_id, name, state, created FROM benchmark_runs WHERE run_id = $1", run_id
    )
    if row is None:
        raise HTTPException(404, f"Run {run_id} does not exist.")
    return Run(
        run_id=row["run_id"],
        run_name=row["name"],
        state=RunState(life_cycle_state=row["state"], state_message=""),
        trigger="ONE_TIME",
        creator_user_name="ada",
        created_time=row["created"],
        tasks=[],
    )
