"""What people are told, and what they are asked."""

from __future__ import annotations

import pytest

from tests.stacks.prefect.client import instant, until
from tests.stacks.prefect.outside import recorder

#: A model for each answer.
YES, NO, NEVER = "prefect-approved", "prefect-refused", "prefect-unanswered"


def config(model, month="2013-02"):
    return {"month": month, "model_name": model, "candidates": [{"name": "logistic_regression"}]}


def set_up(stack, webhook):
    command = ("run", "--rm", "--no-deps", "--env", f"BAKEOFF_WEBHOOK={webhook}", "prefect-deploy")
    stack.compose.run(*command, "python", "-m", "prefect_impl.setup", timeout_s=240)


def alerts(server):
    found = server.ask("POST", "automations/filter", {})
    return [each for each in found if each["name"] == "Tell what a person should know"]


@pytest.fixture(scope="module")
def told(server, stack):
    """What the webhook is told, from here on."""
    assert alerts(server) == []
    with recorder(stack) as (address, posted):
        for _ in range(2):  # set up again, it is still one
            set_up(stack, address)
        assert len(alerts(server)) == 1
        yield posted
        set_up(stack, "")
        assert alerts(server) == []


@pytest.fixture(scope="module")
def asked(server, told):
    """Three runs that have each asked for an approval; the last one gives up soon."""
    runs = {
        NEVER: server.start(config=config(NEVER), approval=True, approve_within=10),
        YES: server.start(config=config(YES), approval=True),
        NO: server.start(config=config(NO), approval=True),
    }
    for model in (YES, NO):
        assert server.ends(runs[model])["state_name"] == "Suspended"
    return runs


def answer(server, run, **said):
    return server.ask("POST", f"flow_runs/{run}/resume", {"run_input": said})


@pytest.mark.capability("approval")
def test_a_promotion_waits_for_a_person(asked, server):
    run = asked[YES]
    assert (server.champion(YES), server.log(YES)) == (None, [])
    refused = answer(server, run, approve="perhaps", by="ann")
    assert (refused["status"], server.run(run)["state_name"]) == ("REJECT", "Suspended")
    # The form is stored a moment after the state.
    until(lambda: answer(server, run, approve=True, by="ann")["status"] == "ACCEPT", "the answer", 30)
    server.reaches(run, "Running", "Promoted")
    assert server.ends(run)["state_name"] == "Promoted"
    assert server.log(YES) == [("promoted", "2013-02")]
    assert server.executions(run)["train-logistic_regression"] == 1


@pytest.mark.bad_input("approval-refused")
def test_a_refusal_ends_the_run_and_promotes_nothing(asked, server):
    run = asked[NO]
    until(lambda: answer(server, run, approve=False, by="bob")["status"] == "ACCEPT", "the answer", 30)
    ended = server.reaches(run, "Refused", "Failed", "Crashed")
    assert ended["state_name"] == "Refused"
    assert "refused by bob" in ended["state"]["message"]
    assert (server.champion(NO), server.log(NO)) == (None, [("refused", "2013-02")])


@pytest.mark.bad_input("approval-timeout")
def test_where_nobody_answers_the_server_fails_the_run(asked, server):
    run = asked[NEVER]
    ended = server.reaches(run, "Failed", "Promoted")
    assert ended["state"]["message"] == "The flow was paused and never resumed."
    assert answer(server, run, approve=True, by="late")["status"] != "ACCEPT"
    assert (server.champion(NEVER), server.log(NEVER)) == (None, [])


@pytest.mark.capability("alert")
def test_a_webhook_is_told_of_failures_and_rejections(asked, server, told, figure):
    again = server.start(config=config(NO))  # nobody asks: promoted, and then no better than itself
    assert server.ends(again)["state_name"] == "Promoted"
    rejected = server.start(config=config(NO))
    assert server.ends(rejected)["state_name"] == "Rejected"
    wanted = {(asked[YES], "Suspended"), (asked[NEVER], "Failed"), (asked[NO], "Refused"), (rejected, "Rejected")}
    until(lambda: wanted <= {(each["run"], each["state"]) for each in told}, "all alerts", 60)
    assert (
        not {(each["run"], each["state"]) for each in told}
        - wanted
        - {
            (asked[NO], "Suspended"),
            (asked[NEVER], "Suspended"),
        }
    )
    [alert] = [each for each in told if each["run"] == rejected]
    assert alert["why"] == server.run(rejected)["state"]["message"]
    assert alert["url"].endswith(rejected)
    took = alert["received"] - instant(server.run(rejected)["state"]["timestamp"]).timestamp()
    figure("rejection to alert", took, "s")
