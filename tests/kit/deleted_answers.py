"""The lines by which NATS services act once and answer each, and who misses them."""

from tests.kit.deleted_lines import HANDLED, PROCESS, RECEPTION, Deletion

SERVICES, REQUESTS = "bus/kit/services.py", "bus/kit/requests.py"
ONCE = "test_services.py::test_a_key_acts_once_and_takes_no_other_body"

ANSWERS = [
    Deletion(SERVICES, "body_hash=digest, ", "", f"{ONCE}[toy.jot]"),
    Deletion(
        RECEPTION,
        "(message.remembered or sent.keyed)",
        "message.remembered",
        f"{ONCE}[toy.jot]",
    ),
    Deletion(
        PROCESS,
        "await run.look()  # what it steps through may not ask for its id",
        "pass",
        f"{ONCE}[toy.stroll]",
    ),
    Deletion(
        PROCESS,
        "run.opened is not None or run.due_id or run.keyed",
        "run.opened is not None or run.due_id",
        f"{ONCE}[toy.stroll]",
    ),
    Deletion(
        HANDLED,
        'if tag != f"INSERT 0 {len(ordered)}":',
        "if False:",
        "test_services.py::test_two_bodies_of_one_key_at_once_are_one_request",
    ),
    Deletion(
        SERVICES,
        "task = asyncio.create_task(work)",
        "return await work",
        "test_services.py::test_a_slow_request_holds_no_other_up",
    ),
    Deletion(
        SERVICES,
        "if len(self._under_way) > REQUESTS_MAX:",
        "if False:",
        "test_services.py::test_too_many_at_once_are_refused_and_none_hangs",
    ),
    Deletion(
        REQUESTS,
        'if any("\\0" in text for text in _texts(plain)):',
        "if False:",
        "test_services.py::test_a_bad_body_is_refused_and_changes_nothing[5]",
    ),
    Deletion(
        REQUESTS,
        "except RecursionError:",
        "except ZeroDivisionError:",
        "test_services.py::test_a_bad_body_is_refused_and_changes_nothing[8]",
    ),
    Deletion(
        REQUESTS,
        "if len(data) > REQUEST_BYTES_MAX:",
        "if False:",
        "test_services.py::test_a_bad_body_is_refused_and_changes_nothing[9]",
    ),
    Deletion(
        PROCESS,
        "if self.opened is None:",
        "if True:",
        "test_processes.py::"
        "test_a_process_goes_on_when_the_commit_of_its_answer_gets_no_answer",
    ),
    Deletion(
        "actors/kit/once.py",
        "elif item.opens:",
        "elif False:",
        "test_processes.py::"
        "test_a_process_goes_on_when_the_commit_of_its_beginning_gets_no_answer",
    ),
    Deletion(
        "actors/kit/reading.py",
        "raise Unavailable(NO_DATABASE) from error",
        "raise",
        "test_processes.py::"
        "test_a_process_whose_reading_breaks_is_unavailable_and_no_bug",
    ),
    Deletion(
        "actors/kit/domain.py",
        "except Unavailable as error:",
        "except ZeroDivisionError as error:",
        "test_reading.py::test_a_domain_whose_start_finds_no_database_starts_again",
    ),
]
