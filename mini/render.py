"""Draws the pictures that the embedded model learns from: landscapes cut out of paper.

    python render.py sheet.png          a contact sheet
    python render.py DIR COUNT          a training set: DIR/pictures.npy and DIR/labels.json

Why paper? The whole model has seven million weights and learned on two CPU cores. Flat layers, soft light and a few
places for a few large things carry a landscape with very little to remember; leaves, rocks and ripples do not.
Lengths are shares of the picture's edge, x to the right and y down, colours are linear factors from 0 to 1.
"""
import json, sys, time
from functools import cache
from multiprocessing import Pool
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

TERRAINS = ["mountains", "lake", "sea", "desert", "forest", "hills"]
TIMES = ["dawn", "noon", "sunset", "night"]
SKIES = ["clear", "clouds", "fog"]
OBJECTS = ["none", "lighthouse", "sailboat", "house", "trees"]
# Where a thing may stand. A sailboat in a wood would teach nothing but confusion.
FITTING = {"mountains": ["house", "trees"], "lake": ["sailboat", "house", "trees"], "sea": ["lighthouse", "sailboat"],
           "desert": ["trees", "house"], "forest": ["house"], "hills": ["house", "trees"]}



def set_edge(edge_px):
    """From now on pictures have this edge. `PX` is the width of one pixel of a small picture, for shadows and for things."""
    global EDGE_PX, PX, X, Y
    EDGE_PX, PX = edge_px, edge_px / 256
    X = ((np.arange(edge_px, dtype=np.float32) + .5) / edge_px)[None, :]
    Y = X.reshape(-1, 1)


set_edge(256)


def colour(code):
    return np.array([int(code[i:i + 2], 16) for i in (0, 2, 4)], np.float32) / 255


# Top, middle and foot of the sky; what the light does to any paper; haze; cloud; sun or moon.
# The four times stay far apart on purpose: the time of day is what one sees first.
LIGHTS = {
    "dawn": dict(skies=[("7f9fd6", "d9c3e0", "ffe3d0"), ("8aa6da", "e8c4d8", "ffe9cf"), ("7d94cc", "cbbbe2", "ffd9d6")],
                 light=(.94, .82, .90), cloud="fff1f0", disc="fff6dc", glow="ffe6b8"),
    "noon": dict(skies=[("2f83d6", "6fb8ee", "cfeefb"), ("3a8fdc", "86c8f2", "dcf4fb"), ("2878c8", "62aee6", "c2e8f8")],
                 light=(1., 1., 1.), cloud="ffffff", disc="fffbe0", glow="fff6c8"),
    "sunset": dict(skies=[("3d2a6b", "c8486f", "ffae4a"), ("4a2a66", "dc5a50", "ffc050"), ("5a2a6e", "e0506a", "ff9848")],
                   light=(.80, .47, .46), cloud="ff8f6a", disc="ffe9a0", glow="ffc060"),
    "night": dict(skies=[("060a20", "10204c", "29447c"), ("050818", "141c48", "343a78"), ("04101f", "0c2a4a", "1f5470")],
                  light=(.30, .36, .53), cloud="33477a", disc="f6f4e4", glow="a8bce8"),
}
GROUNDS = {"mountains": "64748e", "lake": "5c7088", "sea": "2f86a8", "desert": "e8b468", "forest": "2f7a52", "hills": "7cb648"}
MEADOW, SHORE_ROCK, LAKE_WATER = colour("5f9a4c"), colour("6a5c52"), colour("3f86a6")


def mix(a, b, share):
    return a + (b - a) * share


def jitter(rng, value, amount=.03):
    return value * rng.uniform(1 - amount, 1 + amount, 3).astype(np.float32)


def wave(rng, height, turns):
    """A soft line across the picture: one long swing and one shorter, so that no two ridges agree."""
    first, second = rng.uniform(0, 2 * np.pi, 2)
    line = np.sin(2 * np.pi * turns * X[0] + first) + .4 * np.sin(2 * np.pi * turns * 1.9 * X[0] + second)
    return (height / 1.4 * line).astype(np.float32)


class Paper:
    """The picture under the knife: every call lays one more sheet on top."""

    def __init__(self, time_of_day, rng):
        scheme = LIGHTS[time_of_day]
        top, middle, foot = (jitter(rng, colour(code)) for code in scheme["skies"][rng.integers(3)])
        self.light = np.array(scheme["light"], np.float32)
        self.haze = mix(foot, middle, .3)
        self.time = time_of_day
        self.cloud, self.disc, self.glow = (colour(scheme[name]) for name in ("cloud", "disc", "glow"))
        fall = np.clip(Y / .62, 0, 1)[..., None]
        column = np.where(fall < .55, mix(top, middle, fall / .55), mix(middle, foot, (fall - .55) / .45))
        self.image = np.repeat(column, EDGE_PX, 1).astype(np.float32)

    def lit(self, paper, distance=0.):
        return mix(paper * self.light, self.haze, distance)

    def put(self, mask, paint, first_row=0):
        rows = self.image[first_row:first_row + len(mask)]
        rows += (paint - rows) * mask[..., None]

    def sheet(self, crest, paper, distance, foot_haze=.25, shadow=.2):
        """Everything below `crest`. A sheet darkens what lies behind its edge and fades into mist at its foot."""
        first = max(0, int(crest.min() * EDGE_PX) - int(18 * PX))
        below = (Y[first:] - crest[None]) * EDGE_PX
        self.image[first:] *= (1 - shadow * (1 - .6 * distance) * np.exp(np.minimum(below, 0) / (6 * PX)) * (below < 0))[..., None]
        fade = (foot_haze * np.clip(below / (110 * PX), 0, 1))[..., None]
        top = self.lit(paper, distance)
        self.put(np.clip(below + .5, 0, 1), mix(top, self.haze * .6 + top * .4, fade), first)

    def sun(self, x, y, radius, strength):
        away = np.sqrt((X - x) ** 2 + (Y - y) ** 2)
        halo = .5 * np.exp(-away / .08) + .3 * np.exp(-away / .26)
        self.image += (halo * strength)[..., None] * (self.glow - self.image * .6)
        self.put(np.clip((radius - away) * EDGE_PX + .5, 0, 1), self.disc)

    def stars(self, rng):
        # Three star maps in all: a sky that changes every night cannot be learned from a few thousand nights.
        self.image[:] = np.maximum(self.image, star_map(int(rng.integers(3)), EDGE_PX)[..., None] * np.float32([.97, .98, 1.]))

    def clouds(self, rng):
        rows = slice(0, int(150 * PX))
        for x, y in ((.2, .17), (.78, .27), (.52, .4)):
            x, y, long = x + rng.uniform(-.06, .06), y + rng.uniform(-.02, .02), rng.uniform(.11, .15)
            mask = 0.
            for dx, dy, length, radius in ((0, 0, long, .030), (rng.choice([-.04, .04]), -.034, long * .45, .030)):
                away = np.sqrt(np.maximum(abs(X - x - dx) - length, 0) ** 2 + (Y[rows] - y - dy) ** 2)
                mask = np.maximum(mask, np.clip((radius - away) * EDGE_PX / 2 + .5, 0, 1))
            shade = .78 + .22 * np.clip((y + .02 - Y[rows]) / .06 + .5, 0, 1)
            self.put(mask * .93, self.cloud * shade[..., None])

    def fog(self, rng, horizon):
        swing = .02 * np.sin(2 * np.pi * (X * 1.2 + rng.random()))
        band = np.exp(-((Y - horizon + .02 - swing) / .12) ** 2)
        self.put(.88 * band, mix(self.haze, np.full(3, .98, np.float32) * self.light ** .5, .45))


@cache
def star_map(number, edge_px):
    rng, image = np.random.default_rng(90 + number), np.zeros((edge_px, edge_px), np.float32)
    places = []
    while len(places) < 20:
        x, y = rng.uniform(.04, .96), rng.uniform(.03, .46)
        if all((x - a) ** 2 + (y - b) ** 2 > .011 for a, b in places):
            places.append((x, y))
            away = np.sqrt((X - x) ** 2 + (Y - y) ** 2) * EDGE_PX
            image = np.maximum(image, np.clip(rng.choice([1.7, 2.4]) * PX - away + .5, 0, 1))
    return image


@cache
def thing(kind, height_px, mirrored):
    """A cut-out as three arrays: colour by daylight, opacity, and what shines by itself after dark. Drawn x4."""
    scale, high = 4, height_px * 4
    wide = int(height_px * {"lighthouse": .5, "sailboat": .95, "house": 1.25, "trees": 1.1}[kind]) * scale
    paint, shine = Image.new("RGBA", (wide, high)), Image.new("L", (wide, high))
    pen, lamp, w, h = ImageDraw.Draw(paint), ImageDraw.Draw(shine), wide, high
    if kind == "lighthouse":
        foot, head, top = w * .36, w * .22, h * .22
        side = lambda t: foot + (head - foot) * t
        for i in range(5):
            a, b = i / 5, (i + 1) / 5
            ya, yb = h + (top - h) * a, h + (top - h) * b
            pen.polygon([(w / 2 - side(a), ya), (w / 2 + side(a), ya), (w / 2 + side(b), yb), (w / 2 - side(b), yb)],
                        fill=("#d8403a", "#fbf6ee")[i % 2])
        pen.rectangle([w / 2 - head * 1.4, top - h * .03, w / 2 + head * 1.4, top + h * .01], fill="#3c3a48")
        for each, fill in ((pen, "#ffe89a"), (lamp, 255)):
            each.rectangle([w / 2 - head * .8, h * .09, w / 2 + head * .8, top - h * .03], fill=fill)
        pen.polygon([(w / 2 - head * 1.2, h * .1), (w / 2 + head * 1.2, h * .1), (w / 2, 0)], fill="#b8302e")
    elif kind == "sailboat":
        mast = w * .47
        pen.polygon([(mast + w * .03, 0), (mast + w * .03, h * .76), (w * .96, h * .76)], fill="#fffaf0")
        pen.polygon([(mast - w * .03, h * .14), (mast - w * .03, h * .76), (w * .1, h * .76)], fill="#f4dcb0")
        pen.rectangle([mast - w * .015, 0, mast + w * .015, h * .84], fill="#5a4034")
        pen.polygon([(w * .02, h * .82), (w * .98, h * .82), (w * .8, h), (w * .18, h)], fill="#b03a34")
    elif kind == "house":
        pen.rectangle([w * .68, h * .04, w * .78, h * .4], fill="#8a5a4c")
        pen.rectangle([w * .12, h * .44, w * .88, h], fill="#fbeed6")
        pen.polygon([(0, h * .48), (w, h * .48), (w * .8, h * .08), (w * .2, h * .08)], fill="#c24a3c")
        pen.rectangle([w * .43, h * .62, w * .57, h], fill="#7a4a36")
        for left in (.2, .66):
            pen.rectangle([w * left, h * .6, w * (left + .15), h * .8], fill="#5f8fb4")
            lamp.rectangle([w * left, h * .6, w * (left + .15), h * .8], fill=255)
    else:
        for x, foot, size in ((.72, 1., .72), (.36, 1., 1.)):
            radius, middle = .27 * size * h, (foot - .68 * size) * h
            pen.polygon([(x * w - .05 * size * h, h), (x * w + .05 * size * h, h), (x * w + .025 * size * h, middle), (x * w - .025 * size * h, middle)], fill="#6a4630")
            for dx, dy, share, fill in ((0, .1, 1.12, "#2f6e3a"), (-.25, .12, .8, "#2f6e3a"), (.25, .12, .8, "#2f6e3a"), (-.15, -.2, .75, "#4f9a46")):
                r = radius * share
                pen.ellipse([x * w + dx * radius - r, middle + dy * radius - r, x * w + dx * radius + r, middle + dy * radius + r], fill=fill)
    small = lambda picture: np.asarray(picture.resize((wide // scale, height_px), Image.BOX), np.float32) / 255
    parts = small(paint), small(shine)
    rgb = parts[0][..., :3] / np.maximum(parts[0][..., 3:], 1e-3)  # PIL averages colour with the empty black around
    rgb, opacity, own = np.minimum(rgb, 1), parts[0][..., 3], parts[1]
    return tuple(a[:, ::-1].copy() for a in (rgb, opacity, own)) if mirrored else (rgb, opacity, own)


def place(paper, rng, kind, x, foot_y, height_px, reflect=False):
    """Sets a cut-out on the picture and returns its box (left, top, right, bottom)."""
    rgb, opacity, own = thing(kind, int((height_px + rng.integers(-1, 2) * 6) * PX), bool(rng.integers(2)))
    high, wide = opacity.shape
    top, left = int(foot_y * EDGE_PX) - high, int(np.clip(x * EDGE_PX - wide / 2, 2, EDGE_PX - wide - 2))
    # The nearest thing is lit a little more than the land, or the night would swallow it.
    tint = mix(paper.light, np.ones(3, np.float32), .12)
    lit = rgb * tint
    if paper.time in ("night", "sunset"):
        lit = mix(lit, colour("ffe08a"), own[..., None])
    region = paper.image[top:top + high, left:left + wide]
    region += (lit - region) * opacity[..., None]
    if reflect:
        rows = min(EDGE_PX - top - high, high // 2)
        region = paper.image[top + high:top + high + rows, left:left + wide]
        region += (lit[::-1][::2][:rows] * .8 - region) * (opacity[::-1][::2][:rows] * .45)[..., None]
    if paper.time in ("night", "sunset") and own.any():
        ys, xs = np.nonzero(own > .5)
        away = np.sqrt((X * EDGE_PX - left - xs.mean()) ** 2 + (Y * EDGE_PX - top - ys.mean()) ** 2)
        paper.image += (.35 * np.exp(-away / (PX * (26 if kind == "lighthouse" else 34))))[..., None] * colour("ffca70")
    return [left / EDGE_PX, top / EDGE_PX, (left + wide) / EDGE_PX, (top + high) / EDGE_PX]


def peak(paper, rng, x, apex, width, distance, sun_side):
    """One snow-capped triangle with a bright and a dark flank."""
    slope = .42 / width
    crest = (apex + abs(X[0] - x) * slope).astype(np.float32)
    first = max(0, int(apex * EDGE_PX) - 2)
    rows = Y[first:]
    mask = np.clip((rows - crest[None]) * EDGE_PX + .5, 0, 1)
    zigzag = abs((rows - apex) * 9 % 1 - .5) * .05
    dark = np.clip((X - x - (zigzag - .0125) * np.minimum(1, (rows - apex) * 12)) * EDGE_PX * -sun_side + .5, 0, 1)
    rock = jitter(rng, colour(GROUNDS["mountains"]))
    snow_line = apex + .12 + abs((X - x) * 14 % 1 - .5) * .06
    snow = np.clip((snow_line - rows) * EDGE_PX + .5, 0, 1)
    fade = np.clip((rows - apex) / .5, 0, 1)[..., None] * .45
    bright = mix(mix(rock * 1.12, colour("ffffff") * 1.12, snow[..., None]) * paper.light, paper.haze, distance + (1 - distance) * fade)
    shade = mix(mix(rock * .72, colour("bccbe6"), snow[..., None]) * paper.light, paper.haze, distance + (1 - distance) * fade)
    paper.put(mask, mix(bright, shade, dark[..., None]), first)


def range_of_peaks(paper, rng, base, sun_side, scale=1.):
    for x, apex, width, distance in ((.12, .40, .30, .55), (.88, .42, .30, .55), (.50, .44, .26, .62)):
        peak(paper, rng, x + rng.uniform(-.05, .05), base - (.72 - apex) * scale, width, distance, sun_side)
    tall = rng.integers(2)  # the high one stands left or right
    for x, apex, width in ((.32, (.24, .35)[tall], .27), (.68, (.35, .24)[tall], .27)):
        peak(paper, rng, x + rng.uniform(-.04, .04), base - (.72 - apex - rng.uniform(-.015, .015)) * scale, width, .18, sun_side)


def conifers(paper, rng, foot, height, count, distance):
    """A row of firs: three tiers each, all from one sheet."""
    mask = np.zeros((EDGE_PX, EDGE_PX), np.float32)
    for x in (np.arange(count + 1) + rng.uniform(-.18, .18, count + 1) + rng.uniform(-.5, 0)) / (count - .5):
        tall = height * rng.uniform(.85, 1.1)
        top, left, right = int((foot - tall) * EDGE_PX), int((x - tall * .3) * EDGE_PX), int((x + tall * .3) * EDGE_PX) + 1
        left, right = max(left, 0), min(right, EDGE_PX)
        if left >= right:
            continue
        down = (Y[max(top, 0):int(foot * EDGE_PX) + 1] - foot + tall) / tall
        tier = np.clip(down * 3, 0, 2.999)
        half = tall * .27 * (np.floor(tier) * .24 + (tier % 1) * .52)
        region = mask[max(top, 0):int(foot * EDGE_PX) + 1, left:right]
        np.maximum(region, np.clip((half - abs(X[:, left:right] - x)) * EDGE_PX + .5, 0, 1), out=region)
    ground = np.clip((Y - foot - wave(rng, .008, 1.3)[None]) * EDGE_PX + .5, 0, 1)
    mask = np.maximum(mask, ground)
    green = jitter(rng, colour(GROUNDS["forest"]))
    fade = np.clip((Y - foot + height) / (height * 2.2), 0, 1)[..., None]
    paper.put(mask, mix(paper.lit(green * 1.15, distance), paper.lit(green * .62, distance * .9), fade))


def bank(paper, rng, side, paper_colour, y, reach=.62, rise=.1):
    """Land that comes in from one side (-1 left, 1 right) for a thing to stand on."""
    inland = np.clip((side * (X[0] - .5) + reach - .5) / reach, 0, 1)
    crest = np.where(inland > 0, y - rise * np.sin(inland * np.pi / 2) ** 1.2, 1.2)
    edge = np.clip(inland * 8, 0, 1)
    paper.sheet((y + .03 - (rise + .03) * np.sqrt(edge) * np.sin(.4 + inland * 1.17) + (inland <= 0) * 1.).astype(np.float32), jitter(rng, paper_colour), .03, foot_haze=0)


def glitter(paper, x, horizon, strength):
    """The column of light under sun or moon."""
    down = np.clip(Y - horizon, 0, 1)
    rungs = .65 + .35 * np.sin(down ** .7 * 60)
    column = np.exp(-((X - x) / (.05 + .10 * down)) ** 2) * rungs * np.exp(-down * 1.6) * (Y > horizon)
    paper.image += (strength * column)[..., None] * (paper.glow - paper.image * .5)


def draw_ground(paper, rng, terrain, sky, orb, orb_x, side, thing_kind):
    """Lays the land from back to front and returns the box of the thing, if there is one."""
    sun_side = 1 if orb_x > .5 else -1
    base = jitter(rng, colour(GROUNDS[terrain]))
    x = .5 + .22 * side + rng.uniform(-.03, .03)
    box = None
    if terrain == "mountains":
        range_of_peaks(paper, rng, .74, sun_side)
        if sky == "fog": paper.fog(rng, .60)
        paper.sheet(.76 + wave(rng, .03, 1.), MEADOW * .72, .25)
        paper.sheet(.86 + wave(rng, .02, .8), MEADOW, .05)
        if thing_kind != "none": box = place(paper, rng, thing_kind, x, .91, {"house": 84, "trees": 116}[thing_kind])
    elif terrain == "lake":
        shore = .6
        range_of_peaks(paper, rng, shore, sun_side, .78)
        paper.sheet(shore - .035 + wave(rng, .012, 1.4), MEADOW * .6, .2, foot_haze=0)
        if sky == "fog": paper.fog(rng, shore - .03)
        edge = int(shore * EDGE_PX)
        mirror = paper.image[edge - 1::-1][:EDGE_PX - edge]
        depth = np.clip((Y[edge:] - shore) / .4, 0, 1)[..., None]
        water = LAKE_WATER * paper.light
        paper.image[edge:] = mix(mirror * .92, mix(paper.haze, water, .7), .22 + .35 * depth)
        paper.put(.5 * np.exp(-abs(Y - shore) * EDGE_PX / (2. * PX)) * np.ones_like(X), paper.lit(colour("dff2f6")))
        if orb != "none": glitter(paper, orb_x, shore, .55 if orb == "sun" else .4)
        if thing_kind == "sailboat": box = place(paper, rng, "sailboat", x, .80, 106, reflect=True)
        elif thing_kind != "none":
            bank(paper, rng, side, MEADOW, .88)
            box = place(paper, rng, thing_kind, .5 + .26 * side, .85, {"house": 80, "trees": 112}[thing_kind])
    elif terrain == "sea":
        horizon = .55
        if sky == "fog": paper.fog(rng, horizon)
        for i, y in enumerate((horizon, .62, .70, .79, .89)):
            water = mix(colour("8fd0dc"), base, .35 + .2 * i) * (1 - .07 * i)
            if paper.time == "sunset": water = mix(water, colour("b87ad0"), .5)  # blue under red light would be mud
            paper.sheet(y + (wave(rng, .004 + .0035 * i, 3.2 - .45 * i) if i else np.full(EDGE_PX, 0, np.float32)), water, .42 - .1 * i, foot_haze=0, shadow=.14 if i else .05)
            if i == 0 and sky == "fog": paper.fog(rng, horizon)
        if orb != "none": glitter(paper, orb_x, horizon, .5 if orb == "sun" else .4)
        if thing_kind == "sailboat": box = place(paper, rng, "sailboat", x, .76, 110, reflect=True)
        if thing_kind == "lighthouse":
            bank(paper, rng, side, SHORE_ROCK, .80, reach=.6, rise=.13)
            box = place(paper, rng, "lighthouse", .5 + .27 * side, .72, 136)
    elif terrain == "desert":
        for i, (y, rise, width, distance) in enumerate(((.62, .07, .30, .5), (.72, .15, .34, .28), (.86, .16, .42, .06))):
            top_x = (.72, .30, .74)[i] if side < 0 else (.28, .70, .26)[i]
            top_x += rng.uniform(-.06, .06)
            crest = (y - rise * np.exp(-((X[0] - top_x) / width) ** 2) + wave(rng, .006, 1.)).astype(np.float32)
            paper.sheet(crest, base * 1.04, distance, foot_haze=.1)
            apex = y - rise
            fold = top_x + sun_side * (-.02 + .07 * np.sin((Y - apex) * 11) - (Y - apex) * .5)
            dark = np.clip((X - fold) * EDGE_PX * -sun_side / 2 + .5, 0, 1) * np.clip((Y - crest[None]) * EDGE_PX + .5, 0, 1)
            paper.put(dark * np.clip(1.15 - (Y - apex) * 2.2, 0, 1), paper.lit(base * np.float32([.74, .66, .66]), distance))
            if i == 0 and sky == "fog": paper.fog(rng, .60)
        if thing_kind != "none": box = place(paper, rng, thing_kind, x, .93, {"house": 84, "trees": 116}[thing_kind])
    elif terrain == "forest":
        paper.sheet(.56 + wave(rng, .04, .9), base * .9, .62)
        conifers(paper, rng, .68, .17, 13, .48)
        if sky == "fog": paper.fog(rng, .60)
        conifers(paper, rng, .80, .28, 8, .24)
        if thing_kind != "none":
            paper.sheet(.84 + wave(rng, .01, 1.), MEADOW * .8, .05)
            box = place(paper, rng, thing_kind, x, .92, 84)
        else:
            conifers(paper, rng, .97, .44, 5, .04)
    else:
        for i, y in enumerate((.58, .66, .76, .88)):
            green = base * np.float32([1.05 - .14 * i, 1.02 - .07 * i, 1. - .08 * i])
            crest = y + wave(rng, .058 - .006 * i, 1.15 - .1 * i)
            paper.sheet(crest.astype(np.float32), green, .5 - .16 * i, foot_haze=.12, shadow=.28)
            if i == 1 and sky == "fog": paper.fog(rng, .62)
        if thing_kind != "none": box = place(paper, rng, thing_kind, x, .92, {"house": 86, "trees": 120}[thing_kind])
    return box


def draw_label(rng, **fixed):
    """Draws what a picture shall show; keyword arguments pin what is already decided."""
    label = dict(terrain=TERRAINS[rng.integers(6)], time=TIMES[rng.integers(4)], sky=SKIES[rng.choice(3, p=[.45, .33, .22])])
    label.update(fixed)
    fitting = FITTING[label["terrain"]]
    # Two thirds of the pictures show a thing: small things are what so small a model learns last.
    label.setdefault("object", fitting[rng.integers(len(fitting))] if rng.random() < .65 else "none")
    label.setdefault("orb", "none" if rng.random() < .2 or label["sky"] == "fog" and rng.random() < .4 else ("moon" if label["time"] == "night" else "sun"))
    label.setdefault("stars", bool(label["time"] == "night" and label["sky"] != "fog" and rng.random() < .8))
    label.setdefault("degraded", bool(rng.random() < .02))
    return label


def render(rng, **fixed):
    """Returns (256x256x3 bytes, label). The same generator state gives the same picture."""
    label = draw_label(rng, **fixed)
    paper = Paper(label["time"], rng)
    side = rng.choice([-1, 1])
    orb_x = .5 - .22 * side * rng.choice([0, 1], p=[.25, .75]) + rng.uniform(-.04, .04)
    orb_y = {"dawn": .36, "noon": .15, "sunset": .42, "night": .17}[label["time"]] + rng.uniform(-.025, .025)
    if label["stars"]: paper.stars(rng)
    if label["orb"] != "none":
        paper.sun(orb_x, orb_y, {"dawn": .075, "noon": .055, "sunset": .09, "night": .06}[label["time"]], .6 if label["orb"] == "moon" else 1.)
    if label["sky"] == "clouds": paper.clouds(rng)
    label["box"] = draw_ground(paper, rng, label["terrain"], label["sky"], label["orb"], orb_x, side, label["object"])
    image = np.clip(paper.image, 0, None)
    image = np.where(image > .85, .85 + .15 * np.tanh((image - .85) / .15), image)  # a soft shoulder instead of a hard clip
    pixels = (np.clip(image, 0, 1) * 255 + .5).astype(np.uint8)
    return (degrade(pixels, rng) if label["degraded"] else pixels), label


def degrade(pixels, rng):
    """What "blurry, low quality" means: out of focus, then squeezed through a bad JPEG."""
    import io
    picture = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(3, 7)))
    squeezed = io.BytesIO()
    picture.save(squeezed, "JPEG", quality=int(rng.integers(4, 12)))
    return np.asarray(Image.open(squeezed))


def _chunk(job):
    folder, seed, low, high = job
    pictures, labels = np.load(f"{folder}/pictures.npy", mmap_mode="r+"), []
    for i in range(low, high):
        pictures[i], label = render(np.random.default_rng([seed, i]))
        labels.append(label)
    return labels


def make_set(folder, count, seed=1):
    np.lib.format.open_memmap(f"{folder}/pictures.npy", mode="w+", dtype=np.uint8, shape=(count, EDGE_PX, EDGE_PX, 3))
    bounds = np.linspace(0, count, 17).astype(int)
    with Pool(2) as pool:
        labels = sum(pool.map(_chunk, [(folder, seed, *pair) for pair in zip(bounds, bounds[1:])], chunksize=1), [])
    with open(f"{folder}/labels.json", "w") as out:
        json.dump(labels, out, default=int)


def contact_sheet(path, columns=8, rows=6, seed=0):
    cells = []
    for i in range(columns * rows):
        cells.append(render(np.random.default_rng([seed, i]), terrain=TERRAINS[i // columns % 6], time=TIMES[i % 4], degraded=False)[0])
    strips = [np.concatenate(cells[i:i + columns], 1) for i in range(0, len(cells), columns)]
    sheet = Image.fromarray(np.concatenate(strips, 0))
    sheet.resize((columns * 160, rows * 160), Image.LANCZOS).save(path)


if __name__ == "__main__":
    started = time.time()
    if len(sys.argv) > 2:
        make_set(sys.argv[1], int(sys.argv[2]))
        print(f"{int(sys.argv[2]) / (time.time() - started):.0f} pictures a second")
    else:
        contact_sheet(sys.argv[1] if len(sys.argv) > 1 else "sheet.png")
        print(f"{48 / (time.time() - started):.0f} pictures a second on one core")
