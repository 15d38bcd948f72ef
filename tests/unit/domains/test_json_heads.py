"""The first members of a stored document, without reading the rest."""

from __future__ import annotations

import msgspec
import pytest

from service.domains.proposals.tasks import ProposalTask, read_task, read_task_head
from service.domains.values.json_heads import head_before, split_before

ODD = ['","body":{"a":1}', "\\", '\\",', "é\u2028", ",body:", '"body":']


@pytest.mark.parametrize("text", ODD)
def test_what_looks_like_a_member_inside_a_text_is_none(text):
    task = ProposalTask(
        created_by=text,
        idempotency_key=text,
        proposal_id=None,
        correlation_sent=text,
        body=msgspec.Raw(b'{"a":"b","body":{"body":1}}'),
    )

    again, head = read_task(task.written()), read_task_head(task.written())

    assert (again.created_by, again.idempotency_key, again.correlation_sent) == (text, text, text)
    assert bytes(again.body) == bytes(task.body)
    assert (head.created_by, head.proposal_id) == (text, None)


def test_a_task_that_was_written_otherwise_is_read_all_the_same():
    names = b'"created_by": "x", "idempotency_key": null, "proposal_id": "pp", "correlation_sent": null'
    text = b'{"body": {"a": 1}, ' + names + b"}"

    assert bytes(read_task(text).body) == b'{"a": 1}'
    assert read_task_head(text).proposal_id == "pp"


def test_a_text_without_the_member_is_given_back():
    assert split_before(b'{"a":1}', "body") == (b'{"a":1}', b"")
    assert head_before(b'{"a":1}', "body") == b'{"a":1}'


def test_the_head_of_a_document_is_read_whatever_follows():
    """What is behind the head is not even looked at."""
    assert head_before(b'{"proposal":{"proposal_id":"pp"},"version":' + b"\xff" * 100, "version") == (
        b'{"proposal":{"proposal_id":"pp"}}'
    )
