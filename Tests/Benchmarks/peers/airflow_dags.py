"""No-op tasks of Airflow: a chain, and as many beside each other as its executor takes."""

import datetime

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG


def noop():
    return None


def dag(name, count, is_chain):
    with DAG(
        name, schedule=None, start_date=datetime.datetime(2024, 1, 1), is_paused_upon_creation=False,
        max_active_tasks=64, catchup=False,
    ) as made:
        before = None
        for number in range(count):
            task = PythonOperator(task_id=f"t{number}", python_callable=noop, do_xcom_push=False)
            if before and is_chain:
                before >> task
            before = task
    return made


chain = dag("chain", 20, True)
many = dag("many", 60, False)
