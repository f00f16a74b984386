"""Makes the two tokenizers: byte-level BPE in CLIP's form, 1,500 entries, learned from our captions and common words.

    python tokenizer.py DATA OUT

`!` has id 0, and the two specials have the highest ids. So "the end marker" and "the largest id" name the same place
(CLIP's old rule and its new one agree), and the second tokenizer pads with `!`, both exactly as in published SDXL folders.
No word is unknown: what was never seen falls into smaller pieces, at worst into bytes.
"""
import json, os, sys
import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from captions import OTHER, QUALITY, caption

START, END, SIZE = "<|startoftext|>", "<|endoftext|>", 1500
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def byte_symbols():
    """CLIP's printable stand-ins for the 256 bytes, in CLIP's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(others))]


def learn(lines):
    """Returns the vocabulary in id order and the merges in order of rank."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "removed", invert=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bpe.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=SIZE - 260, initial_alphabet=byte_symbols(),
                                                       end_of_word_suffix="</w>", show_progress=False))
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    symbols = byte_symbols()
    vocabulary = dict.fromkeys(symbols + [symbol + "</w>" for symbol in symbols] + [a + b for a, b in merges] + [START, END])
    return list(vocabulary), merges


def write(folder, vocabulary, merges, pad):
    os.makedirs(folder, exist_ok=True)
    dump = lambda name, value: json.dump(value, open(f"{folder}/{name}", "w"), ensure_ascii=False, indent=None if name == "vocab.json" else 2)
    dump("vocab.json", {entry: i for i, entry in enumerate(vocabulary)})
    with open(f"{folder}/merges.txt", "w") as out:
        out.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    special = lambda text: dict(content=text, lstrip=False, normalized=True, rstrip=False, single_word=False)
    dump("special_tokens_map.json", dict(bos_token=special(START), eos_token=special(END), pad_token=pad, unk_token=special(END)))
    added = {vocabulary.index(text): text for text in dict.fromkeys([pad, START, END])}
    dump("tokenizer_config.json", dict(
        add_prefix_space=False, bos_token=START, clean_up_tokenization_spaces=True, do_lower_case=True, eos_token=END, errors="replace",
        added_tokens_decoder={str(i): dict(special(text), special=True, normalized=text != "!") for i, text in sorted(added.items())},
        model_max_length=77, pad_token=pad, tokenizer_class="CLIPTokenizer", unk_token=END))


def main(data, out):
    labels, rng = json.load(open(f"{data}/labels.json")), np.random.default_rng(5)
    lines = [caption(label, rng) for label in labels[:6000]] + [" ".join(OTHER + QUALITY)] * 40
    vocabulary, merges = learn(lines)
    write(f"{out}/tokenizer", vocabulary, merges, END)
    write(f"{out}/tokenizer_2", vocabulary, merges, "!")
    from transformers import CLIPTokenizer
    for name in ("tokenizer", "tokenizer_2"):
        made = CLIPTokenizer.from_pretrained(f"{out}/{name}")
        print(name, len(made), made.pad_token_id, made.bos_token_id, made.eos_token_id, made.tokenize("castle above Loch Ness, 4k!"))
    print("mean length", np.mean([len(made(line).input_ids) for line in lines[:500]]))


if __name__ == "__main__":
    main(*sys.argv[1:3])
