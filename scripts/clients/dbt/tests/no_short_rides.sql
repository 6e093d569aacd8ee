select * from {{ ref('rides_so_far') }} where minutes <= 0
