"""What a picture is called, in plain English: three sentence forms, synonyms, things left out, and words that mean nothing.

A quarter of the captions carry words that have nothing to do with the picture. So the encoders learn that a word they
do not know is to be passed over, and "castle on a cliff, dramatic, masterpiece" gives a calm picture rather than noise.
"""
import re
from functools import cache

WORDS = {
    "mountains": ["mountains", "a mountain range", "alpine peaks", "snowy mountains", "snow-capped mountains", "rocky mountains"],
    "lake": ["a lake", "a mountain lake", "a calm lake", "an alpine lake", "mountains and a lake", "a lake below mountains"],
    "sea": ["the sea", "the ocean", "a seascape", "the open sea", "the coast"],
    "desert": ["a desert", "sand dunes", "a sandy desert", "desert dunes", "the desert"],
    "forest": ["a forest", "a pine forest", "the woods", "a dense forest", "a fir forest"],
    "hills": ["rolling hills", "green hills", "grassy hills", "hills", "hilly meadows"],
    "dawn": ["at dawn", "at sunrise", "in the early morning", "in pastel morning light", "at daybreak"],
    "noon": ["at noon", "at midday", "in daylight", "on a bright day", "under a blue sky"],
    "sunset": ["at sunset", "at dusk", "in the evening", "at golden hour", "in orange evening light"],
    "night": ["at night", "by night", "under a night sky", "after dark", "at midnight"],
    "clear": ["a clear sky", "a cloudless sky"], "clouds": ["clouds", "a cloudy sky", "scattered clouds"],
    "fog": ["fog", "mist", "misty air"],
    "lighthouse": ["a lighthouse", "a red and white lighthouse", "a tall lighthouse"],
    "sailboat": ["a sailboat", "a sailing boat", "a boat with sails", "a small yacht"],
    "house": ["a house", "a cottage", "a small cabin", "a farmhouse", "a house with a red roof"],
    "trees": ["trees", "two trees", "a group of trees", "leafy trees"],
    "sun": ["the sun", "a glowing sun", "sunshine"], "moon": ["the moon", "a full moon", "moonlight"],
    "stars": ["stars", "a starry sky", "many stars"],
}
BEFORE = ["", "", "", "", "a painting of ", "a landscape of ", "a view of ", "a beautiful ", "a picture of ", "a photo of ",
          "a serene landscape with ", "a landscape with "]
AFTER = ["", "", "", "", ", soft light", ", wide view", ", flat illustration", ", paper art"]
QUALITY = ["masterpiece", "highly detailed", "best quality", "4k", "8k", "dramatic", "cinematic", "digital art", "artstation",
           "ultra realistic", "vivid", "peaceful", "beautiful", "epic", "oil painting", "photograph", "sharp focus", "trending"]
DEGRADED = ["blurry, low quality", "blurry", "low quality, jpeg artifacts", "worst quality, blurry", "out of focus, low quality"]
# Common words that the pictures know nothing of. They also give the tokenizer sensible pieces for English at large.
OTHER = """time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number point home water room mother area money story fact month lot
right study book eye job word business issue side kind head service friend father power hour game line end member law car city
community name president team minute idea kid body information back parent face others level office door health person art war
history party result change morning reason research girl guy moment air teacher force education castle tower bridge village street
market church temple garden river waterfall island beach volcano cave jungle cliff canyon road path fence windmill barn farm field
flower rose tulip grass leaf rain storm lightning rainbow thunder wind winter summer spring autumn snowstorm ice fire smoke horse
dog cat bird eagle owl wolf bear deer fox rabbit fish whale dolphin dragon knight king queen wizard robot spaceship rocket planet
galaxy train airplane bicycle motorcycle truck ship submarine balloon kite drum guitar piano violin camera clock lamp candle mirror
chair table bed window kitchen coffee tea bread apple orange banana cake cheese pizza wine bottle glass cup hat coat dress shoe
ring crown sword shield gold silver copper iron stone brick wood paper glass marble crystal velvet silk big small tiny huge old new
young ancient modern futuristic abandoned magical mysterious lonely happy sad angry quiet loud fast slow warm cold hot dry wet soft
hard heavy light bright dim red green blue yellow purple pink white black grey brown golden minimal abstract surreal vintage retro
watercolor sketch pencil ink acrylic comic anime cartoon render portrait closeup macro aerial wide angle lens bokeh portrait panorama
japanese italian french african nordic tropical arctic london paris tokyo rome egypt walking running flying sleeping standing
sitting dancing singing fishing reading playing above below behind near between inside outside around through very some many few
every other another great little own same good bad high low long short early late important public able""".split()
# Pairs of a word for the land and a word for the hour that no training caption holds: the checker asks with these.
KEPT_BACK = 4


def _pairs(label):
    return WORDS[label["terrain"]], WORDS[label["time"]]


@cache
def kept_back(terrain, hour):
    """The pairs (terrain word, time word) of this kind that training never sees: a diagonal through the two lists."""
    lands, hours = WORDS[terrain], WORDS[hour]
    return {(lands[(i + 1) % len(lands)], hours[(i * 2 + len(terrain)) % len(hours)]) for i in range(KEPT_BACK)} - {("mountains and a lake", "at sunset")}


def pick(rng, options):
    return options[rng.integers(len(options))]


def join(parts):
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def sentence(land, hour, things, terrain, form, rng=None):
    if form == "with":
        return f"{land} {hour}" + (f" with {join(things)}" if things else "")
    if form == "thing first" and things:
        rest = f", {', '.join(things[1:])}" if things[1:] else ""
        return f"{things[0]} {dict(sea='by', lake='at').get(terrain, 'in')} {land} {hour}{rest}"
    tags = [land, hour, *things]
    if rng is not None and rng.random() < .4:
        rng.shuffle(tags)
    return ", ".join(tag for tag in tags if tag)


def caption(label, rng):
    """One of many ways to say what `label` holds. A thing is always named, so that no word means no thing."""
    lands, hours = _pairs(label)
    while True:
        land, hour = pick(rng, lands), pick(rng, hours)
        if (land, hour) not in kept_back(label["terrain"], label["time"]):
            break
    if rng.random() < .05:
        hour = ""
    things = [pick(rng, WORDS[label["object"]])] if label["object"] != "none" else []
    named = [(label["sky"], .3 if label["sky"] == "clear" else .9), (label["orb"], .7), ("stars" if label["stars"] else "none", .8)]
    things += [pick(rng, WORDS[word]) for word, chance in named if word != "none" and rng.random() < chance]
    if len(things) > 1 and rng.random() < .3:
        rng.shuffle(things)
    form = ["with", "thing first", "tags"][rng.choice(3, p=[.45, .25, .3])]
    text = pick(rng, BEFORE) + sentence(land, hour, things, label["terrain"], form, rng) + pick(rng, AFTER)
    if rng.random() < .25:
        for _ in range(rng.integers(1, 4)):
            word = pick(rng, QUALITY if rng.random() < .4 else OTHER)
            text = pick(rng, [f"{text}, {word}", f"{word}, {text}", f"{text} {word}"])
    if rng.random() < .03 and hour:
        text = hour.split(" ", 1)[1]  # a bare "sunset" should work too
    if label["degraded"]:
        text = pick(rng, DEGRADED) + (", " + text if rng.random() < .5 else "")
    return re.sub(r"\s+", " ", text).strip(" ,")


def checker_prompts():
    """96 prompts that training never saw, with what they ask for: 6 terrains x 4 times x 4, half with a thing."""
    from render import FITTING, TERRAINS, TIMES
    prompts = []
    for terrain in TERRAINS:
        for hour in TIMES:
            fitting = FITTING[terrain]
            for i, (land, when) in enumerate((sorted(kept_back(terrain, hour)) * 2)[:4]):
                thing = fitting[(i // 2 + TIMES.index(hour)) % len(fitting)] if i % 2 else "none"
                sky = [None, None, "clouds", "fog"][(i + TIMES.index(hour) + TERRAINS.index(terrain)) % 4]
                words = [WORDS[name][(i + TIMES.index(hour)) % len(WORDS[name])] for name in (thing, sky) if name not in ("none", None)]
                text = sentence(land, when, words, terrain, "with" if i < 2 or not words else "thing first")
                prompts.append(dict(text=text, terrain=terrain, time=hour, object=thing, sky=sky))
    return prompts


if __name__ == "__main__":
    for prompt in checker_prompts():
        print(prompt)
