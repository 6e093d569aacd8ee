{{ config(materialized='incremental', unique_key='ride_id') }}
select ride_id, station_id, started_at, minutes from {{ ref('rides') }}
{% if is_incremental() %}
where started_at > (select max(started_at) from {{ this }})
{% endif %}
