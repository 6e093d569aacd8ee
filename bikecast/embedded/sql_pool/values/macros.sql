-- Macros that the compiled SQL calls. The pool's file keeps them, with the digest of this text.
-- raise('key', value, ... AS type) stands for the error of that key in messages.tsv: a cast of a text
-- such as '[[n]]text[[.]]', which always fails. (TRY takes no volatile function, and error() is one.)
-- An argument stands once in the result, where calls of a macro may be nested: each text of it would
-- double the statement. A list of one item and a lambda give it a name.

-- A text that a function in Python returned, unless it is an error (U+F8FF stands before it). Behind
-- it the macros are made that only call one of these functions (python_functions.py).
CREATE OR REPLACE MACRO tsql_checked(value) AS
    list_transform([value], lambda text: CASE WHEN starts_with(text, chr(63743))
    THEN CAST(CAST(text AS INTEGER) AS VARCHAR) ELSE text END)[1];

-- The new value is empty for NULL, and otherwise stands behind a sign.
CREATE OR REPLACE MACRO tsql_json_modify(value, path, new, quoted) AS
    tsql_checked(python_json_modify(value, path, coalesce('=' || new, ''), quoted));

-- The usual form by DuckDB, all others (and what is out of range) by the function in Python.
CREATE OR REPLACE MACRO tsql_moment(value, kind, style) AS
    list_transform([value], lambda text:
        CASE WHEN style = 0 AND coalesce(getvariable('tsql_date_order'), 0) = 0 AND year(TRY_CAST(text AS DATE)) BETWEEN 1900 AND 2078 AND
            regexp_full_match(text, '\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d(\.\d{1,3})?)?')
        THEN CAST(text AS TIMESTAMP) ELSE tsql_parse_moment(text, kind, CASE style WHEN 0
        THEN coalesce(getvariable('tsql_date_order'), 0) ELSE style END) END)[1];

-- A datetimeoffset is a valid moment both as clock time and in UTC; otherwise `failure` is raised.
CREATE OR REPLACE MACRO tsql_offset_value(local, minutes, failure) AS
    list_transform([{'local': CAST(local AS TIMESTAMP), 'minutes': CAST(minutes AS INTEGER)}],
    lambda o: CASE WHEN o.local IS NOT NULL AND o.minutes IS NOT NULL
    THEN {'utc': CASE WHEN year(o.local - to_minutes(o.minutes)) BETWEEN 1 AND 9999
    THEN o.local - to_minutes(o.minutes) ELSE CAST(failure AS TIMESTAMP) END,
    'minutes': o.minutes} END)[1];

-- The clock time of a datetimeoffset.
CREATE OR REPLACE MACRO tsql_local_time(value) AS
    list_transform([CAST(value AS STRUCT(utc TIMESTAMP, minutes INTEGER))],
    lambda o: o.utc + to_minutes(o.minutes))[1];

CREATE OR REPLACE MACRO tsql_offset_text(minutes) AS
    printf('%s%02d:%02d', CASE WHEN minutes < 0 THEN '-' ELSE '+' END, abs(minutes) // 60,
    abs(minutes) % 60);

CREATE OR REPLACE MACRO tsql_padded_bytes(value, size) AS
    array_slice(value || unhex(repeat('00', size)), 1, size);

CREATE OR REPLACE MACRO tsql_from_hex(value, style) AS
    list_transform([CASE WHEN style = 1 THEN regexp_replace(value, '^0[xX]', '') ELSE value END],
    lambda digits: CASE WHEN digits IS NULL THEN NULL
    WHEN regexp_full_match(digits, '([0-9a-fA-F]{2})*') THEN unhex(digits)
    ELSE raise('8114', 'varchar', 'varbinary' AS BLOB) END)[1];

CREATE OR REPLACE MACRO tsql_bit(value) AS
    list_transform([lower(trim(value))], lambda text: CASE WHEN text IN ('true', 'false')
    THEN text = 'true' WHEN regexp_full_match(text, '[+-]?[0-9]*')
    THEN regexp_matches(text, '[1-9]') WHEN text IS NOT NULL
    THEN raise('245', 'varchar', text, 'bit' AS BOOLEAN) END)[1];

-- With a sign of currency and commas; an empty text is 0. Other letters are no numbers of T-SQL's.
CREATE OR REPLACE MACRO tsql_money(value) AS
    list_transform([value], lambda text: CASE WHEN text IS NOT NULL THEN CASE
    WHEN regexp_full_match(text, ' *[+-]? *[$£€]? *[+-]?[0-9,]*[.]?[0-9]* *')
    THEN CAST(regexp_replace(regexp_replace(text, '[$£€, ]', '', 'g'), '^[+-]?[.]?$', '0')
    AS DECIMAL(19, 4)) ELSE raise('235' AS DECIMAL(19, 4)) END END)[1];

CREATE OR REPLACE MACRO tsql_small_money(value) AS
    list_transform([value], lambda o: CASE WHEN o BETWEEN -214748.3648 AND 214748.3647
    OR o IS NULL THEN o ELSE raise('8115', 'expression', 'smallmoney' AS DECIMAL(19, 4)) END)[1];

CREATE OR REPLACE MACRO tsql_large_money(value) AS
    list_transform([value], lambda o: CASE WHEN o BETWEEN -922337203685477.5808 AND
    922337203685477.5807 OR o IS NULL THEN o
    ELSE raise('8115', 'expression', 'money' AS DECIMAL(19, 4)) END)[1];

CREATE OR REPLACE MACRO tsql_integer_bytes(value, width, size, padded) AS
    unhex(CASE WHEN padded OR size < width THEN right(repeat(CASE WHEN value < 0 THEN 'FF' ELSE
    '00' END, size) || right(printf('%016X', value), 2 * width), 2 * size) ELSE
    right(printf('%016X', value), 2 * width) END);

CREATE OR REPLACE MACRO tsql_signed(value, digits, half) AS
    CASE WHEN CAST('0x' || right('0' || hex(value), digits) AS HUGEINT) >= half AND half > 0 THEN
    CAST('0x' || right('0' || hex(value), digits) AS HUGEINT) - 2 * half ELSE CAST('0x' ||
    right('0' || hex(value), digits) AS HUGEINT) END;

CREATE OR REPLACE MACRO tsql_bytes_integer(value, size) AS
    CASE size WHEN 1 THEN tsql_signed(value, 2, 0) WHEN 2 THEN tsql_signed(value, 4, 32768) WHEN 4
    THEN tsql_signed(value, 8, 2147483648) ELSE tsql_signed(value, 16, 9223372036854775808) END;

-- The first three groups of a uniqueidentifier are stored from their last byte to their first.
CREATE OR REPLACE MACRO tsql_swapped(code) AS
    substr(code, 7, 2)||substr(code, 5, 2)||substr(code, 3, 2)||substr(code, 1, 2)||substr(code,
    11, 2)||substr(code, 9, 2)||substr(code, 15, 2)||substr(code, 13, 2)||substr(code, 17);

CREATE OR REPLACE MACRO tsql_uuid_bytes(value) AS
    unhex(tsql_swapped(replace(value, '-', '')));

CREATE OR REPLACE MACRO tsql_bytes_uuid(value) AS
    tsql_swapped(rpad(hex(value), 32, '0'));

CREATE OR REPLACE MACRO tsql_uuid(value) AS
    CASE WHEN value IS NULL THEN NULL ELSE coalesce(TRY_CAST(left(rtrim(ltrim(value, '{'), '} '),
    36) AS UUID), raise('8169' AS UUID)) END;

CREATE OR REPLACE MACRO tsql_fit(value, size, column_name) AS
    CASE WHEN strlen(value) <= size THEN value
    WHEN length(rtrim(value)) > size THEN raise('8152', column_name AS VARCHAR)
    ELSE left(value, size) END;

CREATE OR REPLACE MACRO tsql_fit_binary(value, size, column_name) AS
    CASE WHEN octet_length(value) > size THEN raise('8152', column_name AS BLOB) ELSE value END;

CREATE OR REPLACE MACRO tsql_round_time(moment, step) AS
    make_timestamp(CAST(round(epoch_us(moment) / step) AS BIGINT) * step);

CREATE OR REPLACE MACRO tsql_length(value) AS
    CAST(length(rtrim(value)) AS INTEGER);

CREATE OR REPLACE MACRO tsql_charindex(part, value, start) AS
    list_transform([{'place': CASE WHEN part = '' THEN 0 ELSE
    strpos(lower(substring(value, greatest(start, 1))), lower(part)) END, 'start': start}],
    lambda o: CASE WHEN o.place > 0 THEN o.place + greatest(o.start, 1) - 1 ELSE o.place END)[1];

CREATE OR REPLACE MACRO tsql_substring(value, start, size) AS
    CASE WHEN size < 0 THEN raise('537' AS VARCHAR) ELSE substring(value,
    greatest(start, 1), greatest(size + least(start, 1) - 1, 0)) END;

CREATE OR REPLACE MACRO tsql_nonzero(value) AS
    list_transform([value], lambda o: CASE WHEN o = 0 THEN raise('8134') ELSE o END)[1];

CREATE OR REPLACE MACRO tsql_not_negative(value) AS
    CASE WHEN value < 0 THEN raise('3623') ELSE value END;

CREATE OR REPLACE MACRO tsql_positive(value) AS
    CASE WHEN value <= 0 THEN raise('3623') ELSE value END;

CREATE OR REPLACE MACRO tsql_integer_text(value, size) AS
    CASE WHEN length(value) > size THEN '*' ELSE value END;

-- `failure` is the error for a text that is too long.
CREATE OR REPLACE MACRO tsql_number_text(value, size, failure) AS
    CASE WHEN length(value) > size THEN CAST(CAST(failure AS INTEGER) AS VARCHAR) ELSE value END;

CREATE OR REPLACE MACRO tsql_fit_digits(value, size, kind, digits) AS
    CASE WHEN length(value) > size THEN raise('232', kind, digits AS VARCHAR) ELSE value END;

CREATE OR REPLACE MACRO tsql_fit_float(value, size, kind) AS
    list_transform([{'text': value, 'digits': printf('%.6f', CAST(value AS DOUBLE))}],
    lambda o: tsql_fit_digits(o.text, size, kind, o.digits))[1];

-- The code of the first character in the code page of a dedicated pool's collation.
CREATE OR REPLACE MACRO tsql_ascii(value) AS
    list_transform([left(value, 1)], lambda o: CASE WHEN o = '' THEN NULL
    WHEN ord(o) < 128 OR ord(o) BETWEEN 160 AND 255 THEN ord(o)
    ELSE CAST('0x' || python_text_bytes(o, false) AS INTEGER) END)[1];

CREATE OR REPLACE MACRO tsql_char(value) AS
    list_transform([value], lambda o: CASE WHEN o BETWEEN 0 AND 127 OR o BETWEEN 160 AND 255
    THEN chr(o) WHEN o BETWEEN 128 AND 159 THEN python_bytes_text(printf('%02x', o), false) END)[1];

-- datetime counts 300ths of a second and shows milliseconds.
CREATE OR REPLACE MACRO tsql_round_datetime(moment) AS
    list_transform([make_timestamp(1000 * CAST(round(round(epoch_us(moment) * 3 / 10000) * 10 / 3)
    AS BIGINT))], lambda o: CASE WHEN o IS NULL OR o < TIMESTAMP '10000-01-01' THEN o
    ELSE raise('242b', 'datetime' AS TIMESTAMP) END)[1];

CREATE OR REPLACE MACRO tsql_small_datetime(moment) AS
    list_transform([make_timestamp(60000000 * CAST(floor((epoch_us(moment) + 30001000) / 60000000)
    AS BIGINT))], lambda o: CASE WHEN o IS NULL OR o BETWEEN TIMESTAMP '1900-01-01' AND
    TIMESTAMP '2079-06-06 23:59:00' THEN o ELSE raise('242b', 'smalldatetime' AS TIMESTAMP) END)[1];

-- A number of days that is no date of the type.
CREATE OR REPLACE MACRO tsql_datetime_range(moment, kind) AS
    list_transform([moment], lambda o: CASE WHEN o IS NULL OR year(o) BETWEEN 1753 AND 9999 THEN o
    ELSE raise('8115', 'expression', kind AS TIMESTAMP) END)[1];

CREATE OR REPLACE MACRO tsql_clamped(number, most) AS
    list_transform([number], lambda o: CASE WHEN o > most THEN most WHEN o < -most THEN -most
    ELSE o END)[1];

-- The sum of a moment and an interval, unless it is no value of the type.
CREATE OR REPLACE MACRO tsql_in_range(moment, kind) AS
    list_transform([moment], lambda o: CASE WHEN o IS NULL OR CASE kind
    WHEN 'smalldatetime' THEN o >= TIMESTAMP '1900-01-01' AND o < TIMESTAMP '2079-06-06 23:59:29.999'
    WHEN 'datetime' THEN year(o) BETWEEN 1753 AND 9999 ELSE year(o) BETWEEN 1 AND 9999 END THEN o
    ELSE raise('517', kind AS TIMESTAMP) END)[1];

-- T-SQL's weeks start on Sunday; week 1 holds January 1.
CREATE OR REPLACE MACRO tsql_week(moment) AS
    (dayofyear(moment) - 1 + dayofweek(date_trunc('year', moment))) // 7 + 1;

CREATE OR REPLACE MACRO tsql_utc_offset(moment, minutes) AS
    list_transform([{'utc': CAST(moment AS TIMESTAMP), 'minutes': CAST(minutes AS INTEGER)}],
    lambda o: CASE WHEN o.utc IS NOT NULL AND o.minutes IS NOT NULL
    THEN {'utc': CASE WHEN year(o.utc + to_minutes(o.minutes)) BETWEEN 1 AND 9999 THEN o.utc
    ELSE raise('9813', 'switchoffset' AS TIMESTAMP) END, 'minutes': o.minutes} END)[1];

-- A moment in UTC as the clock of a zone shows it, and the moment of a clock time in a zone.
CREATE OR REPLACE MACRO tsql_at_zone(moment, zone) AS
    list_transform([{'utc': CAST(moment AS TIMESTAMP), 'zone': zone}],
    lambda o: tsql_utc_offset(o.utc, tsql_zone_minutes(o.utc, o.zone)))[1];

CREATE OR REPLACE MACRO tsql_in_zone(local, zone) AS
    list_transform([{'local': CAST(local AS TIMESTAMP), 'zone': zone}],
    lambda o: tsql_at_zone(tsql_zone_utc(o.local, o.zone), o.zone))[1];

CREATE OR REPLACE MACRO tsql_difference_int(value) AS
    CASE WHEN abs(value) > 2147483647 THEN raise('535') ELSE value END;

CREATE OR REPLACE MACRO tsql_from_parts(y, mo, d, h, mi, s, f, digits, kind) AS
    CASE WHEN y IS NULL OR mo IS NULL OR d IS NULL OR h IS NULL OR mi IS NULL OR s IS NULL OR f IS
    NULL THEN NULL ELSE coalesce(CASE WHEN y BETWEEN 1 AND 9999 AND f BETWEEN 0 AND CAST(pow(10,
    digits) AS BIGINT) - 1 AND h BETWEEN 0 AND 23 AND s BETWEEN 0 AND 59 THEN TRY(make_timestamp(y,
    mo, d, h, mi, s) + to_microseconds(CAST(f * pow(10, 6 - digits) AS BIGINT))) END,
    raise('289', kind AS TIMESTAMP)) END;

CREATE OR REPLACE MACRO tsql_right(value, size) AS
    CASE WHEN size = 0 THEN '' WHEN size < 0 THEN raise('536' AS VARCHAR) ELSE right(value, size) END;

CREATE OR REPLACE MACRO tsql_binary_part(value, start, size) AS
    CASE
        WHEN size < 0 THEN raise('537' AS BLOB)
        WHEN size + least(start, 1) - 1 <= 0 THEN unhex('')
        ELSE array_slice(value, greatest(start, 1), greatest(start, 1) + size + least(start, 1) - 2)
    END;

CREATE OR REPLACE MACRO tsql_replicate(value, count, longest) AS
    CASE WHEN count >= 0 THEN left(repeat(value, least(count, longest)), longest) END;

-- Of the type (max); what is long is made within a limit of memory.
CREATE OR REPLACE MACRO tsql_long_replicate(value, count) AS
    CASE
        WHEN count < 0 THEN NULL
        WHEN length(value) * CAST(count AS BIGINT) <= 8000 THEN repeat(value, count)
        ELSE tsql_checked(python_replicate(value, CAST(count AS BIGINT)))
    END;

CREATE OR REPLACE MACRO tsql_stuff(value, start, size, new) AS
    CASE WHEN start > 0 AND start <= length(value) AND size >= 0
    THEN left(value, start - 1) || coalesce(new, '') || substring(value, start + size) END;

-- QUOTENAME: NULL for another quote, and for names longer than 128 characters.
CREATE OR REPLACE MACRO tsql_quotename(value, mark) AS
    CASE
        WHEN length(value) > 128 THEN NULL
        WHEN mark IN ('[', ']') THEN '[' || replace(value, ']', ']]') || ']'
        WHEN mark = '"' THEN '"' || replace(value, '"', '""') || '"'
        WHEN mark = '''' THEN '''' || replace(value, '''', '''''') || ''''
        WHEN mark IN ('(', ')') THEN '(' || replace(value, ')', '))') || ')'
        WHEN mark IN ('{', '}') THEN '{' || replace(value, '}', '}}') || '}'
        WHEN mark IN ('<', '>') THEN '<' || replace(value, '>', '>>') || '>'
        WHEN mark = '`' THEN '`' || replace(value, '`', '``') || '`'
    END;

CREATE OR REPLACE MACRO tsql_top(value) AS coalesce(value, raise('1060' AS BIGINT));

CREATE OR REPLACE MACRO tsql_share(value, name) AS
    CASE WHEN value BETWEEN 0 AND 1 THEN value ELSE raise('103010b', name AS DOUBLE) END;

CREATE OR REPLACE MACRO tsql_finite(value) AS
    list_transform([value], lambda o: CASE WHEN isfinite(o) THEN o WHEN o IS NULL THEN NULL
    ELSE raise('8115', 'expression', 'float') END)[1];

CREATE OR REPLACE MACRO tsql_unit(value) AS
    CASE WHEN abs(value) > 1 THEN raise('3623') ELSE value END;

-- Integers round at a digit before the point only.
CREATE OR REPLACE MACRO tsql_round(value, places) AS
    CASE WHEN places >= 0 THEN CAST(value AS DECIMAL(38,0))
    ELSE round(CAST(value AS DECIMAL(38,0)), places) END;

CREATE OR REPLACE MACRO tsql_truncate(value, places) AS
    trunc(value * pow(10, places)) / pow(10, places);

CREATE OR REPLACE MACRO tsql_truncate_decimal(value, places, scale) AS
    CASE WHEN places >= scale THEN value
    ELSE value - value % CAST(pow(10, -places) AS DECIMAL(38,10)) END;
