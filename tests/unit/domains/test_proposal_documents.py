"""Documents are stored once each, and come back to the byte, whatever they are and however they were."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domains.proposals.documents import (
    CUT_BYTES_MIN,
    IN_ANSWER,
    IN_ARTIFACT,
    IN_EVIDENCE,
    cut,
    joined,
    stored_change,
    whole_key,
    whole_version,
)
from tests.integration.contract.proposal_builders import a_creation, under_key

RESULT = b'{"status":"READY","proposal_result":"' + b"x" * CUT_BYTES_MIN + b'"}'
EVIDENCE = b'{"inputs":{"proposal_result":1},"engine_outputs":{"proposal_result":%b},"hashes":{}}' % RESULT
ARTIFACT = b'{"artifact_id":"pa_1","evidence_bundle":%b}' % EVIDENCE
ANSWER = (
    b'{"proposal":{"title":"\\"artifact\\":"},"proposal_result":%b,"artifact":%b,"evidence_bundle":%b}'
    % (RESULT, ARTIFACT, EVIDENCE)
)


def change_of(result=RESULT, artifact=ARTIFACT, evidence=EVIDENCE, answer=ANSWER):
    change = under_key(a_creation(version={"result": result, "artifact": artifact, "evidence": evidence}))
    return replace(change, key=replace(change.key, answer=answer))


def assert_comes_back(change):
    stored = stored_change(change)
    version, key = stored.version, stored.key
    assert whole_version(version) == change.version
    assert whole_key(key, version.result, version.artifact, version.evidence) == change.key
    return stored


def test_each_document_is_stored_once():
    stored = assert_comes_back(change_of())

    texts = (stored.version.artifact, stored.version.evidence, stored.key.answer)
    assert stored.version.result == RESULT
    assert not any(b"x" * CUT_BYTES_MIN in text for text in texts)
    assert stored.version.artifact == b'#[[40,"evidence"]]\n{"artifact_id":"pa_1","evidence_bundle":}'
    assert [each[1] for each in json.loads(stored.key.answer.partition(b"\n")[0][1:])] == [
        "result",
        "artifact",
        "evidence",
    ]


def test_what_was_stored_whole_stays_as_it_is():
    change = change_of()
    key, version = change.key, change.version

    assert whole_version(version) == version
    assert whole_key(key, version.result, version.artifact, version.evidence) == key
    assert whole_key(key, None, None, None) == key


def test_without_evidence_the_result_is_still_cut_out_of_the_artifact():
    stored = assert_comes_back(change_of(evidence=b"{}", answer=ANSWER.replace(EVIDENCE + b"}", b"{}}")))

    assert b"x" * CUT_BYTES_MIN not in stored.version.artifact
    assert stored.version.evidence == b"{}"


@pytest.mark.parametrize("members", [IN_ANSWER, IN_ARTIFACT, IN_EVIDENCE])
def test_what_only_looks_like_a_member_is_left(members):
    documents = {name: name.encode() * CUT_BYTES_MIN for name in ("result", "artifact", "evidence")}
    for text in (
        b"".join(member.before for member in members),
        b"".join(member.before + documents[member.name][:-1] for member in members),
        b"".join(documents[member.name] for member in members),
    ):
        assert cut(text, members, documents) == text


def test_an_act_that_brought_no_version_keeps_its_answer():
    key = replace(change_of().key, answer=b"#[]\n{}")
    change = replace(change_of(), key=key)
    stored = stored_change(change).key

    assert stored.answer == b"#[]\n#[]\n{}"
    assert whole_key(stored, None, None, None) == key


DOCUMENTS = st.binary(max_size=4) | st.sampled_from([RESULT, EVIDENCE, ARTIFACT, b"#", b"#[]\n", b"\n"])
PARTS = st.sampled_from(
    [RESULT, EVIDENCE, ARTIFACT, *(member.before for member in IN_ANSWER), b"#", b"\n", b"{"]
)
TEXTS = st.lists(PARTS | st.binary(max_size=3), max_size=8).map(b"".join)


@given(TEXTS | DOCUMENTS, TEXTS | DOCUMENTS, TEXTS | DOCUMENTS, TEXTS)
def test_any_bytes_come_back(result, artifact, evidence, answer):
    assert_comes_back(change_of(result, artifact, evidence, answer))


@given(TEXTS)
def test_cutting_twice_is_undone_twice(text):
    documents = {"result": RESULT, "artifact": ARTIFACT, "evidence": EVIDENCE}
    once = cut(text, IN_ANSWER, documents)
    twice = cut(once, IN_ANSWER, documents)

    assert joined(twice, documents) == once
    assert joined(once, documents) == text


def test_a_document_that_is_not_there_is_missed():
    with pytest.raises(KeyError):
        joined(cut(ANSWER, IN_ANSWER, {"result": RESULT}), {})
