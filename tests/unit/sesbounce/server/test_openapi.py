from sesbounce.server.routes import OPERATIONS
from tests.api import Api


def test_each_operation_is_described_with_its_scope(api: Api) -> None:
    document = api.client()("GET", "/openapi.json").json()
    described = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(described) == {(one.method, one.path) for one in OPERATIONS}
    for one in OPERATIONS:
        operation = described[one.method, one.path]
        assert operation.get("security") == ([{"token": [one.scope]}] if one.scope else None)
    answer = document["components"]["schemas"]["Answer"]
    assert {"address", "may_mail", "until"} <= set(answer["required"])
    assert document["openapi"] == "3.1.0"
