{{ config(materialized='view') }}
select id, name, docks from {{ ref('stations') }}
