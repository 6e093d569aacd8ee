{{ config(materialized='table', dist='HASH(station_id)', index='HEAP') }}
select s.id as station_id, s.name, count(*) as rides, sum(r.minutes) as minutes
from {{ ref('rides') }} r join {{ ref('stations_view') }} s on s.id = r.station_id
group by s.id, s.name
