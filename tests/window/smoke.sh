#!/usr/bin/env bash
# The real window, by hand: opens a workflow, changes its prompt by typing, runs it, undoes an edit, saves, and idles.
# Usage: tests/window/smoke.sh PROGRAM. Needs Xvfb, xdotool and ImageMagick; draws without a graphics card.
# DARKROOM_SMOKE_PICTURE names a file for a picture of the window after the run, or of where it failed.
set -euo pipefail
program=$(realpath "$1")
graph=$(realpath "$(dirname "$0")/../../graphs/landscape.ron")

if [ -z "${DARKROOM_SMOKE:-}" ]; then
    exec env DARKROOM_SMOKE=1 LIBGL_ALWAYS_SOFTWARE=1 xvfb-run -a -s "-screen 0 1280x800x24" bash "$0" "$program"
fi

room=$(mktemp -d)
editor=
tidy() {
    [ -z "$editor" ] || kill "$editor" 2>/dev/null || true
    rm -rf "$room"
}
trap tidy EXIT
fail() {
    echo "smoke: $1" >&2
    import -window root "${DARKROOM_SMOKE_PICTURE:-$room/failed.png}" || true
    cat "$room/said" >&2 || true
    exit 1
}
# Waits until a command succeeds, for so many tenths of a second.
until_true() {
    local left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.1
    done
}
# Tells whether a picture shows more than a few colours.
is_lively() { [ "$(identify -format %k "$1")" -gt 50 ]; }

export DARKROOM_CACHE="$room/cache" DARKROOM_STATE="$room/state"
cd "$room"
cp "$graph" landscape.ron
"$program" edit landscape.ron --size 1280x800 >said 2>&1 &
editor=$!
until_true 200 xdotool search --onlyvisible --name darkroom || fail "no window appeared"
window=$(xdotool search --onlyvisible --name darkroom | head -n 1)
xdotool windowmove "$window" 0 0 windowfocus --sync "$window"
key() { xdotool key "$1"; sleep 0.3; }
type_text() { xdotool type --delay 12 "$1"; sleep 0.3; }
seen() { import -window root now.png && is_lively now.png; }
until_true 100 seen || fail "the window shows nothing"
sleep 0.5

# Without the panel of results the canvas has its middle in the middle of the window.
key ctrl+k
type_text "panel of results"
key Return
sleep 0.5

# Find brings the prompt into the middle, where a click sets the caret into its text.
key ctrl+f
type_text "serene landscape"
key Return
sleep 0.8
xdotool mousemove 640 335 click 1
sleep 0.4
key ctrl+a
new="a quiet lighthouse above the northern sea on an autumn evening"
type_text "$new"
key ctrl+Return
until_true 400 compgen -G "output/*.png" || fail "the run left no picture"
picture=$(compgen -G "output/*.png" | head -n 1)
until_true 50 is_lively "$picture" || fail "the picture is one colour"
sleep 0.5
import -window root after.png
is_lively after.png || fail "the window shows one colour"

# Away from the text: mute the node that is chosen, take that back, save.
xdotool mousemove 100 640 click 1
sleep 0.3
key ctrl+a
key m
key ctrl+z
key ctrl+s
old=$(sed -n 's/.*text: "\(.*\)",/\1/p' "$graph")
sed "s/$old/$new/" "$graph" >expected.ron
# Our own form sets types in a column; beside that, nothing but the prompt may differ.
until_true 50 diff -b -q expected.ron landscape.ron || {
    diff -b expected.ron landscape.ron >&2 || true
    fail "the saved file is not what was expected"
}
until_true 50 test -z "$(ls state/editor/recovery/*.ron 2>/dev/null)" || fail "a recovery file stays after the save"

"$program" check landscape.ron >/dev/null 2>&1 || fail "the saved file has faults"

# Idle: notices fade first; then nothing may be drawn.
sleep 6
ticks() { awk '{print $14 + $15}' "/proc/$editor/stat"; }
before=$(ticks)
sleep 3
used=$(($(ticks) - before))
[ "$used" -le 3 ] || fail "idling for 3 s takes $used ticks of the processor"

[ -z "${DARKROOM_SMOKE_PICTURE:-}" ] || cp after.png "$DARKROOM_SMOKE_PICTURE"
kill "$editor"
wait "$editor" 2>/dev/null || true
editor=

"$program" edit landscape.ron --size 1280x800 --screenshot shot.png >said 2>&1 || fail "no screenshot"
[ "$(identify -format %wx%h shot.png)" = 1280x800 ] || fail "the screenshot has another size"
is_lively shot.png || fail "the screenshot is one colour"
echo "smoke: a prompt was typed, run, undone and saved; idling took $used ticks in 3 s"
