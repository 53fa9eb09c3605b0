"""Who is let through, who is not, and in which form that is said."""

import logging
from dataclasses import replace
from datetime import timedelta

import anyio
import msgspec
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect
from tests.serving.security.conftest import ELSEWHERE, HERE, OPTIONS, PASSWORD, Build, House

from andon.datasets.store.accounts import AuditEntry
from andon.datasets.store.database import Database
from andon.models.types.errors import StorageFullError
from andon.serving.security.buckets import Rate
from andon.serving.security.options import Lifetimes, RateLimits
from andon.serving.security.tokens import digest_of, new_secret, parse_key
from andon.serving.security.visits import read_networks

FORM = "application/x-www-form-urlencoded"
ALERTS, INSPECTIONS, LOAD = "/api/v1/alerts", "/api/v1/inspections", "/v2/repository/models/plates/load"


def test_without_keys_and_users_whoever_works_at_the_machine_may_do_all(house: House) -> None:
    client = house.client(HERE)
    assert client.get(ALERTS).json() == {"name": "anonymous", "role": "admin", "kind": "anonymous", "body": ""}
    assert client.post(LOAD).status_code == 200


def test_nobody_from_elsewhere_comes_in_without_a_key(house: House) -> None:
    assert house.client(ELSEWHERE).get(ALERTS).status_code == 401


def test_nobody_at_all_comes_in_without_a_key_where_others_can_reach_the_service(remote_house: House) -> None:
    assert remote_house.client(HERE).get(ALERTS).status_code == 401


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_what_a_proxy_passed_on_does_not_come_from_this_machine(house: House, name: str) -> None:
    assert house.client(HERE, **{name: "for=192.0.2.7"}).get(ALERTS).status_code == 401


@pytest.mark.parametrize("first", ["key", "user"])
def test_once_there_is_a_key_or_a_user_everybody_says_who_they_are(house: House, first: str) -> None:
    client = house.client(HERE)
    assert client.get(ALERTS).status_code == 200
    house.key() if first == "key" else house.join()
    house.moves.forward(seconds=OPTIONS.lifetimes.remembered_s)
    assert client.get(ALERTS).status_code == 401


def test_that_holds_even_after_the_last_key_is_revoked(house: House) -> None:
    key = parse_key(house.key())
    assert key
    house.security.accounts.revoke_key(key.id, house.moves.clock.now())
    assert house.client(HERE).get(ALERTS).status_code == 401


def test_a_page_of_a_site_whose_name_was_turned_to_this_machine_stays_out(house: House) -> None:
    answer = house.client(HERE, Host="evil.example:8000").get(ALERTS)
    assert (answer.status_code, answer.json()["code"]) == (403, "security.host")
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert house.client(HERE, Host=host).get(ALERTS).status_code == 200


def test_a_key_says_who_asks(house: House) -> None:
    assert house.with_key(house.key(name="line-3")).get(ALERTS).json() == {
        "name": "key:line-3",
        "role": "operator",
        "kind": "key",
        "body": "",
    }


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", [200, 403, 403, 403]),
        ("operator", [200, 200, 403, 403]),
        ("engineer", [200, 200, 200, 403]),
        ("admin", [200, 200, 200, 200]),
    ],
)
def test_a_role_may_do_what_those_below_may(house: House, role: str, allowed: list[int]) -> None:
    client = house.with_key(house.key(role))
    answers = [client.get(ALERTS), client.post(INSPECTIONS), client.post(LOAD), client.put("/unlisted")]
    assert [answer.status_code for answer in answers] == allowed


@pytest.mark.parametrize("customer", ["Acme"])
def test_one_customers_key_reaches_only_what_keeps_customers_apart(house: House, customer: str) -> None:
    client = house.with_key(house.key("operator", customer))
    assert client.get(ALERTS).status_code == 200
    assert client.post("/api/v1/alerts/1/acknowledge").status_code == 200
    answer = client.get(INSPECTIONS)
    assert (answer.status_code, answer.json()["code"]) == (403, "security.not_separated")
    assert client.post(INSPECTIONS).status_code == 403


def wrong_keys(key: str) -> list[str]:
    parsed = parse_key(key)
    assert parsed
    return [
        f"Bearer {replace(parsed, secret=new_secret()).text}",
        f"Bearer {replace(parsed, id='018f0000-0000-7000-8000-000000000000').text}",
        f"Bearer {key[:-1]}",
        f"Basic {key}",
        f"{key}",
        "Bearer",
        "Bearer ü",
    ]


def test_what_is_not_the_key_is_refused_and_nobody_is_told_why(house: House) -> None:
    wrong = wrong_keys(house.key())
    client = house.client(ELSEWHERE)
    answers = [client.get(ALERTS, headers={b"Authorization": each.encode()}) for each in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="andon"'}


def test_a_wrong_key_is_not_saved_by_a_good_cookie(house: House) -> None:
    client = house.join()
    assert client.get(ALERTS).status_code == 200
    assert client.get(ALERTS, headers={"Authorization": f"Bearer {new_secret()}"}).status_code == 401


def test_a_key_that_is_revoked_ends_within_the_time_that_it_is_remembered(house: House) -> None:
    text = house.key()
    client, key = house.with_key(text), parse_key(text)
    assert key
    assert client.get(ALERTS).status_code == 200
    house.security.accounts.revoke_key(key.id, house.moves.clock.now())
    house.moves.forward(seconds=OPTIONS.lifetimes.remembered_s)
    assert client.get(ALERTS).status_code == 401


def test_a_key_expires_even_while_it_is_remembered(build: Build) -> None:
    house = build(replace(OPTIONS, lifetimes=Lifetimes(remembered_s=1e9)))
    client = house.with_key(house.key(days=1))
    assert client.get(ALERTS).status_code == 200
    house.moves.forward(days=1, seconds=-1)
    assert client.get(ALERTS).status_code == 200
    house.moves.forward(seconds=1)
    assert client.get(ALERTS).status_code == 401


def test_both_secrets_of_a_rotated_key_hold_until_the_former_ends(house: House) -> None:
    text = house.key()
    key = parse_key(text)
    assert key
    rotated = replace(key, secret=new_secret())
    house.security.accounts.rotate_key(key.id, digest_of(rotated.secret), house.moves.clock.now() + timedelta(hours=1))
    former, new = house.with_key(text), house.with_key(rotated.text)
    assert [each.get(ALERTS).status_code for each in (former, new)] == [200, 200]
    house.moves.forward(hours=1)
    assert [each.get(ALERTS).status_code for each in (former, new)] == [401, 200]


def test_a_key_is_looked_up_once_while_it_is_remembered(house: House, database: Database) -> None:
    client = house.with_key(house.key())
    client.get(ALERTS)
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(20):
        assert client.get(ALERTS).status_code == 200
    assert asked == []
    house.moves.forward(seconds=OPTIONS.lifetimes.remembered_s)
    client.get(ALERTS)
    assert [each for each in asked if "UPDATE" in each] == []
    assert len([each for each in asked if "FROM keys" in each]) == 1


def test_last_use_is_noted_to_the_hour(house: House) -> None:
    text = house.key()
    client, key = house.with_key(text), parse_key(text)
    assert key
    noted = []
    for _ in range(3):
        client.get(ALERTS)
        found = house.security.accounts.key(key.id)
        noted.append(found and found.last_used)
        house.moves.forward(minutes=30)
    start = house.moves.clock.now() - timedelta(minutes=90)
    assert noted == [start, start, start + timedelta(hours=1)]


def test_a_key_with_a_role_that_nobody_knows_opens_nothing(house: House, database: Database) -> None:
    text = house.key()
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE keys SET role = 'root'")
    assert house.with_key(text).get(ALERTS).status_code == 401


# The forms of refusals


def test_a_problem_document_under_the_api(house: House) -> None:
    answer = house.client().get(ALERTS, headers={"Accept-Language": "zh"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:andon:error:security.unauthenticated",
        "title": "Unauthorized",
        "status": 401,
        "detail": "/api/v1/alerts：未说明身份；应在 Authorization 头中给出密钥，或先登录",
        "code": "security.unauthenticated",
    }


def test_an_error_under_the_open_inference_protocol(house: House) -> None:
    answer = house.client().post("/v2/models/plates/infer")
    assert (answer.status_code, list(answer.json())) == (401, ["error"])


def test_mlflows_form_under_its_path(house: House) -> None:
    answer = house.client().post("/invocations")
    assert (answer.status_code, set(answer.json())) == (401, {"error_code", "message"})
    refused = house.with_key(house.key("viewer")).post("/invocations")
    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_too_many_requests_are_told_when_to_come_back(build: Build) -> None:
    house = build(replace(OPTIONS, limits=RateLimits(callers=Rate(0.5, 2))))
    busy, other = house.with_key(house.key()), house.with_key(house.key("viewer"))
    assert [busy.get(ALERTS).status_code for _ in range(3)] == [200, 200, 429]
    assert busy.get(ALERTS).headers["Retry-After"] == "2"
    assert other.get(ALERTS).status_code == 200
    house.moves.forward(seconds=2)
    assert busy.get(ALERTS).status_code == 200


def test_those_who_only_fail_are_slowed_down_and_others_from_there_are_not(build: Build) -> None:
    house = build(replace(OPTIONS, limits=RateLimits(failures=Rate(0.1, 3))))
    wrong, right = house.with_key("andon_no_key"), house.with_key(house.key())
    assert [wrong.get(ALERTS).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert right.get(ALERTS).status_code == 200
    assert house.with_key("andon_no_key", "192.0.2.8").get(ALERTS).status_code == 401


def test_strangers_are_slowed_down_but_for_probes_of_this_machine(build: Build) -> None:
    house = build(replace(OPTIONS, limits=RateLimits(strangers=Rate(0.1, 2))))
    live = "/v2/health/live"
    assert [house.client().get(live).status_code for _ in range(3)] == [200, 200, 429]
    assert {house.client(HERE).get(live).status_code for _ in range(10)} == {200}


# Proxies


def test_a_trusted_proxy_says_where_a_request_comes_from(build: Build) -> None:
    options = replace(OPTIONS, trusted_proxies=read_networks(["192.0.2.7"]), limits=RateLimits(failures=Rate(0.1, 1)))
    house = build(options)

    def fails(address: str, forwarded: str) -> int:
        headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": forwarded}
        return house.client(address).get(ALERTS, headers=headers).status_code

    assert [fails(ELSEWHERE, f"198.51.100.{number}") for number in (1, 2, 1)] == [401, 401, 429]
    # Others' word counts for nothing.
    assert [fails("203.0.113.5", f"198.51.100.{number}") for number in (3, 4)] == [401, 429]


# Browsers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://public.example"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
def test_pages_of_other_sites_change_nothing(house: House, headers: dict[str, str], status: int) -> None:
    signed_in = house.join()
    assert signed_in.post(INSPECTIONS, headers=headers).status_code == status
    assert signed_in.get(ALERTS, headers=headers).status_code == 200
    assert house.with_key(house.key()).post(INSPECTIONS, headers=headers).status_code == 200


def test_pages_of_other_sites_do_not_use_who_works_at_the_machine(house: House) -> None:
    answer = house.client(HERE).post(LOAD, headers={"Origin": "http://evil.example"})
    assert (answer.status_code, list(answer.json())) == (403, ["error"])


def test_pages_of_other_sites_sign_nobody_in(house: House) -> None:
    house.join()
    body = {"name": "anna", "password": PASSWORD}
    assert (
        house.client().post("/api/v1/sessions", json=body, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    )


@pytest.mark.parametrize("said", ["", "wrong", "ü"])
def test_a_change_without_the_sessions_token_is_refused(house: House, said: str) -> None:
    client = house.join()
    answer = client.post(INSPECTIONS, headers={b"X-CSRF-Token": said.encode()})
    assert (answer.status_code, answer.json()["code"]) == (403, "security.csrf")


def test_another_sessions_token_does_not_do(house: House) -> None:
    anna, bert = house.join("anna"), house.join("bert")
    assert anna.post(INSPECTIONS, headers={"X-CSRF-Token": str(bert.headers["X-CSRF-Token"])}).status_code == 403


def test_a_form_may_carry_the_token_in_a_field_and_arrives_whole(house: House) -> None:
    client = house.join()
    token = str(client.headers.pop("X-CSRF-Token"))
    form = {"comment": "a & b", "csrf_token": token}
    assert client.post(INSPECTIONS, data=form).json()["body"] == f"comment=a+%26+b&csrf_token={token}"
    assert client.post(INSPECTIONS, data={**form, "csrf_token": "x"}).status_code == 403
    assert client.post(INSPECTIONS, data={"comment": "x" * 200_000, "csrf_token": token}).status_code == 403


def test_a_form_in_pieces_arrives_whole(house: House) -> None:
    client = house.join()
    pieces = [b"comment=x", b"&csrf_token=", str(client.headers["X-CSRF-Token"]).encode(), b"&more=1"]
    messages = [{"type": "http.request", "body": piece, "more_body": piece != b"&more=1"} for piece in pieces]
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def serve() -> None:
        waiting = iter(messages)

        async def receive() -> Message:
            return next(waiting)

        headers = {"host": "127.0.0.1", "cookie": f"andon={client.cookies['andon']}", "content-type": FORM}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": INSPECTIONS, "query_string": b"", "headers": raw}
        await house.app({**scope, "client": (ELSEWHERE, 1)}, receive, send)

    anyio.run(serve)
    assert sent[0]["status"] == 200
    assert msgspec.json.decode(sent[1]["body"])["body"] == b"".join(pieces).decode()


def test_a_web_socket_is_closed_to_strangers_and_to_other_sites(house: House) -> None:
    async def greet(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.scope["state"]["caller"].name)

    house.app.add_api_websocket_route(ALERTS, greet)
    address = f"ws://127.0.0.1{ALERTS}"
    signed_in = house.join()
    with signed_in.websocket_connect(address, headers={"Origin": "http://127.0.0.1"}) as opened:
        assert opened.receive_text() == "anna"
    for client, headers, reason in (
        (house.client(), {}, "security.unauthenticated"),
        (signed_in, {"Origin": "http://evil.example"}, "security.cross_site"),
    ):
        with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect(address, headers=headers):
            pass
        assert (closed.value.code, closed.value.reason) == (1008, reason)


# The audit trail


def said(entry: dict[str, str]) -> tuple[str, ...]:
    return tuple(entry[name] for name in ("actor", "action", "subject", "outcome", "address"))


def test_changes_are_written_down_and_reads_are_not(house: House) -> None:
    client = house.with_key(house.key("engineer", name="mes"))
    client.get(ALERTS)
    client.post(LOAD)
    assert [said(each) for each in house.trail()] == [
        ("key:mes", "POST /v2/repository/models/{model}/load", LOAD, "done", ELSEWHERE)
    ]


def test_the_lines_own_traffic_is_in_the_ledger_and_not_in_the_trail(house: House) -> None:
    client = house.with_key(house.key())
    assert client.post(INSPECTIONS).status_code == 200
    assert client.post("/v2/models/plates/infer").status_code == 200
    assert house.trail() == []


def test_refused_attempts_are_written_down_reads_too(house: House) -> None:
    viewer = house.with_key(house.key("viewer", name="wall"))
    viewer.post(INSPECTIONS)
    house.client().get(ALERTS)
    assert [said(each) for each in house.trail()] == [
        ("anonymous", "GET /api/v1/alerts", ALERTS, "refused security.unauthenticated", ELSEWHERE),
        ("key:wall", "POST /api/v1/inspections", INSPECTIONS, "refused security.role", ELSEWHERE),
    ]


def test_a_flood_of_refusals_does_not_fill_the_trail(build: Build) -> None:
    house = build(replace(OPTIONS, limits=RateLimits(refusals=Rate(0.1, 5))))
    for _ in range(20):
        house.client().get(ALERTS)
    assert len(house.trail()) == 5


def test_the_trail_holds_lines_of_bounded_length(house: House) -> None:
    house.client().get(f"/%0A%1b[31m{'x' * 5000}")
    (entry,) = house.trail()
    assert len(entry["subject"]) == 256
    assert entry["subject"].startswith("/??[31mxxx")


def test_a_change_goes_on_where_the_trail_cannot_be_written_and_the_log_keeps_it(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = house.with_key(house.key("engineer", name="mes"))

    def full(_entry: AuditEntry) -> None:
        raise StorageFullError("store.full", "db", reason="disk")

    monkeypatch.setattr(type(house.security.accounts), "audit", lambda _self, entry: full(entry))
    assert client.post(LOAD).status_code == 200
    assert "not in the audit trail" in caplog.text
    assert caplog.records[-1].__dict__["fields"]["actor"] == "key:mes"


def test_nothing_secret_comes_into_the_log_or_the_trail(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)
    key, wrong = house.key("admin"), f"andon_{'0' * 32}_{new_secret()}"
    anna = house.join()
    house.with_key(key).get(ALERTS)
    house.with_key(wrong).get(ALERTS)
    house.client().post("/api/v1/sessions", json={"name": "anna", "password": "another battery"})
    made = house.with_key(key).post("/api/v1/keys", json={"name": "new", "role": "viewer"}).json()["key"]
    token = anna.cookies["andon"]
    told = caplog.text + str([record.__dict__ for record in caplog.records]) + str(house.trail())
    for secret in (key, wrong, made, PASSWORD, "another battery", token, str(anna.headers["X-CSRF-Token"])):
        assert secret.rpartition("_")[2] not in told


def test_where_the_database_is_gone_nobody_is_let_in_for_that(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_given: object) -> None:
        raise StorageFullError("store.full", "db", reason="gone")

    monkeypatch.setattr(type(house.security.accounts), "exist", gone)
    assert house.client(HERE).get(ALERTS).status_code == 507


def test_a_disk_that_is_full_keeps_nobody_from_reading(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object) -> None:
        raise StorageFullError("store.full", "db", reason="disk")

    client = house.with_key(house.key())
    monkeypatch.setattr(type(house.security.accounts), "note_use", full)
    assert client.get(ALERTS).status_code == 200


def test_a_service_under_a_prefix_is_guarded_alike(house: House) -> None:
    client = TestClient(house.app, "http://127.0.0.1", root_path="/andon", client=(ELSEWHERE, 1))
    assert client.get("/andon/v2/health/live").status_code == 200
    assert client.get("/andon/api/v1/alerts").status_code == 401
