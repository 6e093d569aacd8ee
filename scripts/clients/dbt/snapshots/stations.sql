{% snapshot stations_history %}
{{ config(target_schema='dbo', unique_key='id', strategy='check', check_cols=['docks', 'name']) }}
select id, name, docks from {{ ref('stations') }}
{% endsnapshot %}
