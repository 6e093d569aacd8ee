"""JSON functions: paths, modes, and JSON_MODIFY, which changes only the part that it names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.values import json_text

PERSON = '{"name":"John","skills":["C#","SQL"]}'


def value(session, expression, *parameters):
    return session.run(f"SELECT {expression} AS a", parameters)[-1].rows[0][0]


@pytest.mark.parametrize(
    ("text", "path", "new", "changed"),
    [
        (PERSON, "$.name", "'Mike'", '{"name":"Mike","skills":["C#","SQL"]}'),
        (PERSON, "$.surname", "'Smith'", PERSON[:-1] + ',"surname":"Smith"}'),
        (PERSON, "strict $.name", "NULL", '{"name":null,"skills":["C#","SQL"]}'),
        (PERSON, "$.name", "NULL", '{"skills":["C#","SQL"]}'),
        (PERSON, "$.skills", "NULL", '{"name":"John"}'),
        (PERSON, "append $.skills", "'Azure'", '{"name":"John","skills":["C#","SQL","Azure"]}'),
        (PERSON, "append lax $.tools", "'vi'", PERSON[:-1] + ',"tools":["vi"]}'),
        (PERSON, "append $.name", "'x'", PERSON),
        (PERSON, "append $.skills", "NULL", '{"name":"John","skills":["C#","SQL",null]}'),
        (PERSON, "$.skills[1]", "'T-SQL'", '{"name":"John","skills":["C#","T-SQL"]}'),
        (PERSON, "$.skills[1]", "NULL", '{"name":"John","skills":["C#",null]}'),
        (PERSON, "$.skills[9]", "'x'", PERSON),
        (PERSON, "$.none.deep", "1", PERSON),
        (PERSON, "$.none", "NULL", PERSON),
        ('{"a":1}', "$.a", "'[1]'", '{"a":"[1]"}'),
        ('{"a":1}', "$.a", "JSON_QUERY('[1, 2]')", '{"a":[1, 2]}'),
        ('{"a":1}', "$.b", "(JSON_MODIFY('{}', '$.c', 1))", '{"a":1,"b":{"c":1}}'),
        ('{"a":1}', "$.a", "N'\"x\\/'", '{"a":"\\"x\\\\\\/"}'),
        ('{"a":1}', "$.a", "CHAR(10) + CHAR(1)", '{"a":"\\n\\u0001"}'),
        ('{"a":1}', "$.a", "CAST(1 AS bit)", '{"a":true}'),
        ('{"a":1}', "$.a", "CAST(-1.50 AS decimal(9,3))", '{"a":-1.500}'),
        ('{"a":1}', "$.a", "CAST(0.1 AS float)", '{"a":1.000000000000000e-001}'),
        ('{ "a" : 1 ,  "b" : [ 1 ] }', "$.a", "2", '{ "a" : 2 ,  "b" : [ 1 ] }'),
        ('{"a":1 }', "$.b", "2", '{"a":1 ,"b":2}'),
        ("{ }", "$.b", "2", '{ "b":2}'),
        ("[1, 2 ]", "append $", "3", "[1, 2 ,3]"),
        ("[]", "append $", "3", "[3]"),
        ("[1,2]", "$[0]", "'x'", '["x",2]'),
        ('{"b":2 , "a":1, "c":3}', "$.a", "NULL", '{"b":2  , "c":3}'),
        ('{"a":1,"a":2}', "$.a", "NULL", '{"a":2}'),
        ('{"a b":1}', '$."a b"', "2", '{"a b":2}'),
    ],
)
def test_json_modify_changes_one_part(shared_session, text, path, new, changed):
    assert value(shared_session, f"JSON_MODIFY(?, ?, {new})", text, path) == changed


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("JSON_VALUE('{\"a\":1.50}', '$.a')", "1.50"),
        ("JSON_VALUE('{\"a\":1e5}', '$.a')", "1e5"),
        ("JSON_VALUE('{\"a\":\"x\\ny\"}', '$.a')", "x\ny"),
        ("JSON_VALUE('{\"a\":1,\"a\":2}', 'lax $.a')", "1"),
        ("JSON_VALUE('{\"a\":true}', 'strict $.a')", "true"),
        ("JSON_VALUE('{\"a\":null}', 'strict $.a')", None),
        ("JSON_VALUE('{\"a\":[]}', '$.a')", None),
        ("JSON_VALUE('{\"a\":[5,{\"b\":7}]}', '$.a[1].b')", "7"),
        ("LEN(JSON_VALUE('{\"a\":\"' + REPLICATE('x', 4000) + '\"}', '$.a'))", 4000),
        ("JSON_VALUE('{\"a\":\"' + REPLICATE('x', 4001) + '\"}', '$.a')", None),
        ("JSON_QUERY('{ \"a\": { \"b\" : [ 1 ] } }', '$.a')", '{ "b" : [ 1 ] }'),
        ("JSON_QUERY('{ \"a\":1 }')", '{ "a":1 }'),
        ("JSON_QUERY('{\"a\":1}', '$.a')", None),
        ("JSON_MODIFY(NULL, '$.a', 1)", None),
        ("ISJSON('[1, NaN]')", 0),
        ("ISJSON(' {\"a\": [] } ')", 1),
        ("ISJSON('1')", 0),
        ("ISJSON(NULL)", None),
    ],
)
def test_a_path_finds_the_first_value_as_it_is_written(shared_session, expression, found):
    assert value(shared_session, expression) == found


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("JSON_MODIFY('{}', 'strict $.a', 1)", 13608),
        ("JSON_MODIFY('{}', 'append strict $.a', 1)", 13608),
        ("JSON_MODIFY('{\"a\":1}', 'append strict $.a', 1)", 13621),
        ("JSON_MODIFY('{}', '$', 1)", 13619),
        ("JSON_MODIFY('{}', 'loose $.a', 1)", 13607),
        ("JSON_MODIFY('{}', '$.a.', 1)", 13607),
        ("JSON_MODIFY('{}', '$.\"\\x\"', 1)", 13607),
        ("JSON_MODIFY('{', '$.a', 1)", 13609),
        ("JSON_MODIFY('1', '$.a', 1)", 13609),
        ("JSON_MODIFY('{}', '$.a')", 174),
        ("JSON_MODIFY(1, '$.a', 1)", 8116),
        ("JSON_MODIFY('{}', 1, 1)", 8116),
        ("JSON_MODIFY('{}', '$.a', GETDATE())", 8116),
        ("JSON_MODIFY('{}', '$.a', CAST(1 AS money))", 8116),
        ("JSON_VALUE('{}', 'append $.a')", 13607),
        ("JSON_VALUE('{\"a\":[]}', 'strict $.a')", 13623),
        ("JSON_VALUE('5', '$')", 13609),
        ("JSON_VALUE(5, '$.a')", 8116),
        ("JSON_QUERY('{\"a\":1}', 'strict $.a')", 13624),
    ],
)
def test_json_that_is_not_as_the_path_says_is_an_error(
    shared_session, error_of, expression, number
):
    assert error_of(shared_session, f"SELECT {expression}").number == number


def test_the_place_of_bad_json_is_told(shared_session, error_of):
    message = error_of(shared_session, "SELECT JSON_VALUE('{\"a\":x}', '$.a')").message
    assert message.endswith("Unexpected character 'x' is found at position 5.")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON), st.sampled_from("abc"), st.text(max_size=4))
def test_a_changed_document_is_that_of_a_changed_object(document, key, new):
    for indent in (None, 1):
        text = json.dumps(document, indent=indent)
        changed = json.loads(json_text.json_modify(text, f"$.{key}", f"={new}", quoted=True))
        assert changed == {**document, key: new}
        assert list(changed) == list({**document, key: new})
        rest = json.loads(json_text.json_modify(text, f"$.{key}", "", quoted=True))
        assert rest == {name: item for name, item in document.items() if name != key}


@given(st.text(max_size=12), st.text('${}[]."\\ax0 laxstrict', max_size=8))
def test_any_text_and_any_path_end_in_a_result_or_in_an_error_of_json(text, path):
    for run in (
        lambda: json_text.json_value(text, path),
        lambda: json_text.json_query('{"a":{"x":[0]}}', path),
        lambda: json_text.json_modify('{"a":{"x":[0]}}', path, "=1", quoted=False),
    ):
        numbers = []
        try:
            run()
        except SqlError as error:
            numbers.append(error.number)
        assert all(13607 <= number <= 13625 for number in numbers)
