"""Scores must be Hugging Face's own log-softmax, whatever the batch, the padding and the order."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from probekit.errors import InputError, LanguageError, ModelError, NumericalError
from probekit.facts import FactSet, Question, generate, known, score
from probekit.facts.encoding import encode
from probekit.facts.scoring import longest
from tests.tiny import subject_of, tiny_model, tiny_subject

ENGLISH = (" red", " green", " blue", " bluish")


def facts_of(n=6, *, choices=ENGLISH, language="en"):
    return FactSet(
        tuple(
            Question(
                fact=f"f{i}",
                language=language,
                prompt="The colour of " + "x" * (3 * i + 1) + " is",
                answer=choices[i % len(choices)],
                choices=choices,
                part="forget" if i % 2 else "retain",
            )
            for i in range(n)
        )
    )


def plain(subject, prompt, answer):
    """Log-probability of an answer of single-byte tokens, one unpadded sequence."""
    ids = subject.tokenizer(prompt + answer, return_tensors="pt").input_ids
    start = ids.shape[1] - len(answer.encode())
    with torch.no_grad():
        logp = subject.model(ids, use_cache=False).logits[0].double().log_softmax(-1)
    steps = range(start, ids.shape[1])
    exact = all(int(logp[i - 1].argmax()) == int(ids[0, i]) for i in steps)
    return sum(float(logp[i - 1, ids[0, i]]) for i in steps), exact


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "bloom", "cohere", "opt", "falcon"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_scores_are_those_of_plain_log_softmax(family, side):
    subject, facts = tiny_subject(family, bos=True), facts_of()
    scores = score(subject, facts, padding_side=side, batch_tokens=90)
    for row, question in enumerate(facts):
        logp, exact = plain(subject, question.prompt, question.answer)
        assert scores.logp[row] == pytest.approx(logp, abs=2e-3)
        assert bool(scores.exact[row]) == exact
        wanted = [plain(subject, question.prompt, choice)[0] for choice in ENGLISH]
        assert scores.choice_logp[row] == pytest.approx(wanted, abs=2e-3)
    assert list(scores.n_answer_tokens) == [len(q.answer) for q in facts]


def test_neither_batch_size_nor_order_matters():
    subject, facts = tiny_subject("qwen2"), facts_of()
    one = score(subject, facts, batch_tokens=1)
    many = score(subject, facts, batch_tokens=4096)
    turned = score(subject, FactSet(facts.questions[::-1]))
    assert many.logp == pytest.approx(one.logp, abs=1e-4)
    assert turned.logp[::-1] == pytest.approx(one.logp, abs=1e-4)
    assert (turned.correct[::-1] == one.correct).all()
    assert (many.rank == one.rank).all()


def test_a_question_scores_the_same_alone_and_among_others():
    subject, facts = tiny_subject("llama"), facts_of()
    whole = score(subject, facts)
    for row, question in enumerate(facts):
        alone = score(subject, FactSet((question,)))
        assert alone.logp[0] == pytest.approx(whole.logp[row], abs=1e-4)


def test_only_beginnings_that_no_other_continues_are_read():
    beginnings = [(1,), (1, 2), (1, 2, 3), (1, 2, 4), (1, 3), (2,)]
    parts = longest(beginnings)
    assert set(parts) == {(1, 2, 3), (1, 2, 4), (1, 3), (2,)}
    assert sorted(ids for found in parts.values() for ids in found) == sorted(beginnings)
    for text, found in parts.items():
        assert all(text[: len(ids)] == ids for ids in found)


def unigram_subject():
    """A GPT-2 whose last norm gives the same vector everywhere: the next token never depends."""
    model = tiny_model("gpt2")
    with torch.no_grad():
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.copy_(torch.linspace(-1, 1, 32))
    subject = subject_of(model)
    logits = model.lm_head(model.transformer.ln_f.bias).double()
    return subject, logits.log_softmax(0).detach().numpy()


def test_choices_of_a_subject_that_ignores_its_prompt_have_a_closed_form():
    subject, logp = unigram_subject()
    scores = score(subject, facts_of(4))
    sums = [float(sum(logp[i] for i in subject.tokenizer(c).input_ids)) for c in ENGLISH]
    means = [total / len(c) for total, c in zip(sums, ENGLISH, strict=True)]
    for row in range(4):
        assert scores.choice_logp[row] == pytest.approx(sums, abs=1e-4)
        assert scores.choice[row] == int(np.argmax(means))
        assert scores.choice_by_sum[row] == int(np.argmax(sums))
        assert scores.rank[row] == 1 + sum(mean > means[row] for mean in means)
    # it always says the same, so it is right in one of four: chance
    assert scores.correct.mean() == 0.25 == scores.chance.mean()


def test_a_subject_without_an_opinion_is_never_right():
    """All tokens equally probable: means tie, and a tie counts against the answer."""
    model = tiny_model("llama")
    with torch.no_grad():
        model.lm_head.weight.zero_()
    scores = score(subject_of(model), facts_of(4))
    expected = [-len(q.answer) * math.log(264) for q in facts_of(4)]
    assert scores.logp == pytest.approx(expected, rel=1e-6)
    assert scores.rank.tolist() == [4, 4, 4, 4]
    assert not scores.correct.any()
    # by sums the shortest wins
    assert scores.correct_by_sum.tolist() == [True, False, False, False]


def merging_tokenizer(tokenizer):
    """The tests' bytes, and one more token: ``ab``."""
    vocabulary = tokenizer.get_vocab() | {"ab": 261}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return type(tokenizer)(tokenizer_object=made, pad_token="<pad>", eos_token="</s>")


def test_choices_are_compared_from_the_last_token_they_share():
    """Prompt and answer may meet inside a token; then all choices start before it."""
    subject = tiny_subject("llama")
    subject = replace(subject, tokenizer=merging_tokenizer(subject.tokenizer))
    question = Question(fact="f", language="zh", prompt="xa", answer="b", choices=("b", "c"))
    (encoded,) = encode(subject, FactSet((question,)))
    ids = subject.tokenizer.get_vocab()
    assert encoded.context == (ids["x"],)
    assert encoded.choices == ((261,), (ids["a"], ids["c"]))
    scores = score(subject, FactSet((question,)))
    with torch.no_grad():
        inputs = torch.tensor([[ids["x"], ids["a"]]])
        logp = subject.model(inputs, use_cache=False).logits[0].log_softmax(-1)
    wanted = [float(logp[0, 261]), float(logp[0, ids["a"]] + logp[1, ids["c"]])]
    assert scores.choice_logp[0] == pytest.approx(wanted, abs=1e-4)


def test_an_answer_is_exact_where_greedy_decoding_gives_it():
    subject, _ = unigram_subject()
    letter = subject.tokenizer("a").input_ids[0]
    model = subject.model
    with torch.no_grad():  # the head is the embedding: "a" is now the likeliest next token
        model.transformer.ln_f.bias.copy_(20 * model.lm_head.weight[letter])
    answers = ("aaa", "aab", "baa")
    facts = FactSet(
        tuple(
            Question(fact=answer, language="zh", prompt=f"x{answer}:", answer=answer)
            for answer in answers
        )
    )
    assert score(subject, facts).exact.tolist() == [True, False, False]
    assert set(generate(subject, facts, max_new_tokens=3).texts) == {"aaa"}


def test_known_facts_are_right_in_every_question_of_a_language():
    subject, _ = unigram_subject()
    facts = facts_of(4)
    scores = score(subject, facts)
    best = int(scores.choice[0])
    assert known(scores) == {"en": (f"f{best}",)}
    assert known(scores, rule="exact") == {"en": ()}
    other = replace(facts.questions[best], prompt="Another way to ask", form="paraphrase")
    assert known(score(subject, FactSet((*facts.questions, other)))) == {"en": (f"f{best}",)}
    with pytest.raises(InputError, match="rule must be"):
        known(scores, rule="maybe")


def test_an_open_question_is_right_when_exact():
    subject = tiny_subject("llama")
    question = Question(fact="f", language="en", prompt="Hello", answer=" world")
    scores = score(subject, FactSet((question,)))
    assert scores.n_choices.tolist() == [0]
    assert scores.choice.tolist() == scores.choice_by_sum.tolist() == [-1]
    assert scores.rank.tolist() == [0]
    assert (scores.correct == scores.exact).all()
    assert scores.chance.tolist() == [0.0]
    assert scores.table()[0]["chance"] == 0.0


def test_a_masked_model_is_refused():
    with pytest.raises(ModelError, match="does not predict the next token"):
        score(tiny_subject("bert"), facts_of(1))
    with pytest.raises(ModelError, match="does not predict the next token"):
        generate(tiny_subject("t5", stack="encoder"), facts_of(1))


def test_a_text_longer_than_the_subject_reads_is_refused():
    question = Question(fact="long", language="en", prompt="x" * 300, answer=" y")
    with pytest.raises(InputError, match="fact 'long' in 'en' must be at most 256 tokens"):
        score(tiny_subject("llama"), FactSet((question,)))


def test_answers_that_the_tokenizer_cannot_tell_apart_are_refused():
    subject = tiny_subject("llama")
    blind = Tokenizer(models.WordLevel({"<unk>": 3, "is": 5}, unk_token="<unk>"))
    blind.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = type(subject.tokenizer)(tokenizer_object=blind, pad_token="<unk>")
    with pytest.raises(LanguageError, match="language 'sw': the tokenizer cannot tell"):
        score(replace(subject, tokenizer=tokenizer), facts_of(2, language="sw"))


def test_a_prompt_must_leave_a_token_before_the_answer():
    subject = tiny_subject("llama")
    subject = replace(subject, tokenizer=merging_tokenizer(subject.tokenizer))
    question = Question(fact="f", language="zh", prompt="a", answer="b", choices=("b", "c"))
    with pytest.raises(InputError, match="must leave a token before the answer"):
        score(subject, FactSet((question,)))


def test_numbers_that_are_none_stop_the_scoring():
    model = tiny_model("llama")
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(NumericalError, match="not finite"):
        score(subject_of(model), facts_of(1))


def test_batches_of_nothing_are_refused():
    with pytest.raises(InputError, match="batch_tokens"):
        score(tiny_subject("llama"), facts_of(1), batch_tokens=0)


def test_progress_is_told_every_token():
    class Counting:
        total = done = 0

        def start(self, *, n_tokens, done):
            self.total = n_tokens

        def advance(self, n_tokens):
            self.done += n_tokens

    bar = Counting()
    score(tiny_subject("llama"), facts_of(3), batch_tokens=50, progress=bar)
    assert bar.total == bar.done > 0
