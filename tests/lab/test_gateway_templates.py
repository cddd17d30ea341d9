"""The mapping templates' language, where it is API Gateway's own and not Velocity's."""

from __future__ import annotations

import base64
import json

import pytest

from lab.cloud.gateway.templates import Input, TemplateError, render, steps

BODY = {"a": {"b-c": [1, {"d": None}]}, "rows": [{"x": 1, "y": ["z", True]}], "text": 'é"', "half": "\ud800"}
PARAMETERS = {
    "path": {"name": "from the path", "only": 'it\'s/"x"'},
    "querystring": {"name": "from the query", "limit": "5"},
    "header": {"X-Own": "1"},
}


def rendered(template: str) -> str:
    given = Input(json.dumps(BODY), BODY, PARAMETERS)
    return render(template, given, {"requestId": "r1"}, {"stage": "s1"})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$input.json('$.a')", '{"b-c":[1,{"d":null}]}'),
        ("$input.json('$.a.b-c[1]')", '{"d":null}'),
        ("$input.json(\"$['a']['b-c'][0]\")", "1"),
        ("$input.json('$.text')", '"é\\""'),
        ("$input.path('$.a.b-c[0]')", "1"),
        ("$input.path('$.none.at.all')", ""),
        ("#foreach($row in $input.path('$.rows'))$row.x $row#end", "1 {x=1, y=[z, true]}"),
        ('#set($i = 0)$input.json("$.rows[$i].y")', '["z",true]'),
        ("$input.params('name') $input.params('limit')", "from the path 5"),
        ("[$input.params('none')]", "[]"),
        ("$util.escapeJavaScript($input.params('only'))", 'it\\\'s\\/\\"x\\"'),
        ("$context.requestId $stageVariables.stage", "r1 s1"),
        ("$util.urlEncode('a b&c') $util.urlDecode('a+b%26c')", "a+b%26c a b&c"),
        ("$util.base64Decode('YQ==') $util.parseJson('{\"k\": [1]}').k[0]", "a 1"),
    ],
)
def test_what_a_template_prints(template, expected):
    assert rendered(template) == expected


def test_text_is_encoded_as_java_does_it():
    encoded = rendered("$util.base64Encode($input.path('$.text'))$util.base64Encode($input.path('$.half'))")

    assert encoded == base64.b64encode('é"'.encode()).decode() + base64.b64encode(b"?").decode()


@pytest.mark.parametrize("path", ["a", "$..a", "$.rows[*]", "$.rows[?(@.x)]", "$.a ["])
def test_a_path_that_is_not_covered_is_said(path):
    with pytest.raises(TemplateError, match="is not covered"):
        steps(path)


@pytest.mark.parametrize("template", ["#foreach($x in)", "$util.parseJson('{')", "$input.json('$..x')"])
def test_a_template_that_cannot_be_rendered_is_said(template):
    with pytest.raises(TemplateError):
        rendered(template)
