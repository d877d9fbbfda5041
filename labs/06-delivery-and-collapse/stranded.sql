-- Events that no run of a Dag has, though nothing says that one will come:
-- newer than its newest run's window, while its light is off.
select d.dag_id, e.id as event, e.timestamp
from asset_event e
join dag_schedule_asset_reference s on s.asset_id = e.asset_id
join dag d on d.dag_id = s.dag_id and not d.is_paused
where e.timestamp > (
    select coalesce(max(r.run_after), s.created_at)
    from dag_run r
    where r.dag_id = s.dag_id and r.run_type = 'asset_triggered'
)
and not exists (
    select 1 from asset_dag_run_queue q where q.target_dag_id = s.dag_id
)
order by d.dag_id, e.id
