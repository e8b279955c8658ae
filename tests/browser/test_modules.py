"""The page's pure modules, run where they run: in the browser."""

from __future__ import annotations

import pytest

M = "message"
PARSED = [
    ("a message", b"data: one\n\n", [(M, "one", "")]),
    (
        "lines end in CR, LF or both",
        b"data: 1\r\rdata: 2\n\ndata: 3\r\n\r\n",
        [(M, "1", ""), (M, "2", ""), (M, "3", "")],
    ),
    ("several data lines are one text", b"data: a\ndata:\ndata: b\n\n", [(M, "a\n\nb", "")]),
    ("only the first space goes", b"data:  two\ndata:none\n\n", [(M, " two\nnone", "")]),
    ("an event has a name", b"event: start\ndata: {}\n\ndata: x\n\n", [("start", "{}", ""), (M, "x", "")]),
    (
        "an id stays until the next",
        b"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
        [(M, "a", "7"), (M, "b", "7"), (M, "c", "")],
    ),
    (
        "an id with a null byte is none",
        b"id: 1\ndata: a\n\nid: 2\x003\ndata: b\n\n",
        [(M, "a", "1"), (M, "b", "1")],
    ),
    ("comments and unknown fields say nothing", b": beat\n\nwhat: ever\ndata: a\n:\n\n", [(M, "a", "")]),
    ("no data, no event", b"event: start\nid: 3\n\ndata: a\n\n", [(M, "a", "3")]),
    ("an empty data line is data", b"data\n\n", [(M, "", "")]),
    ("what is unfinished is dropped", b"data: a\n\ndata: b\n", [(M, "a", "")]),
    ("a byte order mark is no field", b"\xef\xbb\xbfdata: a\n\n", [(M, "a", "")]),
    ("characters of several bytes", "data: fly ♀ 🪰\n\n".encode(), [(M, "fly ♀ 🪰", "")]),
]

PARSE = """async ([bytes, cuts]) => {
  const { EventParser } = await import('./static/sse.js')
  return cuts.map((cut) => {
    const parser = new EventParser()
    const edges = [0, ...cut, bytes.length]
    return edges.slice(1).flatMap((to, i) => parser.push(new Uint8Array(bytes.slice(edges[i], to))))
      .map(({ type, data, id }) => [type, data, id])
  })
}"""


@pytest.fixture
def page(open_page, server):
    return open_page(server.url)


def test_events_are_parsed_wherever_the_chunks_end(page):
    for name, sent, expected in PARSED:
        cuts = [[], *([at] for at in range(1, len(sent))), list(range(1, len(sent)))]
        for cut, events in zip(cuts, page.evaluate(PARSE, [list(sent), cuts]), strict=True):
            assert [tuple(event) for event in events] == expected, (name, cut)


def test_the_time_to_wait_is_read(page):
    retry = """async () => {
      const { EventParser } = await import('./static/sse.js')
      const parser = new EventParser()
      const said = (text) => (parser.push(new TextEncoder().encode(text)), parser.retry)
      return [parser.retry, said('retry: soon\\n'), said('retry: 1500\\n')]
    }"""
    assert page.evaluate(retry) == [None, None, 1500]


def test_the_history_is_bounded_by_number_and_by_bytes(page):
    sizes = """async () => {
      const { FrameHistory } = await import('./static/history.js')
      const many = new FrameHistory({ maxFrames: 10 })
      const heavy = new FrameHistory({ maxBytes: 1e6 })
      for (let i = 0; i < 100; i++) {
        many.add({ frame_idx: i, img: '' })
        many.add({ frame_idx: i, img: '' })
        heavy.add({ frame_idx: i, img: 'x'.repeat(98000) })
      }
      const huge = new FrameHistory({ maxBytes: 10 })
      huge.add({ frame_idx: 5, img: 'x'.repeat(1000) })
      return [many.size, many.has(89), many.has(90), heavy.size, heavy.bytes, huge.has(5)]
    }"""
    assert page.evaluate(sizes) == [10, False, True, 10, 1e6, True]


@pytest.mark.parametrize(
    ("offered", "drawn"),
    [
        (list(range(9)), [0, 8]),
        (list(range(30)), [0, 29]),  # the one being decoded, and the newest
        (list(range(8)), list(range(8))),  # two batches find room
        ([0, 1, "2", *range(3, 11)], [2, 10]),
        (["1", 2, 3], [1, 2, 3]),
        ([0, "1", 2, "3", 4], [3, 4]),  # of two frames gone to, the later
    ],
)
def test_the_newest_frame_is_drawn_and_before_it_one_that_was_sought(page, offered, drawn):
    draw = """async (offered) => {
      const { NewestFirst } = await import('./static/newest.js')
      const canvas = document.createElement('canvas')
      const [img, drawn] = [canvas.toDataURL(), []]
      const newest = new NewestFirst(({ frame }) => drawn.push(frame))
      for (const frame of offered) newest.offer({ img, frame: Number(frame) }, typeof frame === 'string')
      while (newest.drawn + newest.skipped < offered.length) await new Promise(requestAnimationFrame)
      return [drawn, newest.skipped]
    }"""
    was, skipped = page.evaluate(draw, offered)
    assert len(was) + skipped == len(offered)
    assert was == drawn


def test_the_track_of_scores_is_bounded_and_hides_no_bad_frame(page):
    figures = """async () => {
      const { ScoreTrack } = await import('./static/scores.js')
      const track = new ScoreTrack()
      for (let i = 0; i < 20000; i++) track.add(i, [i === 7777 ? 0.1 : 0.9, 0.8])
      const buckets = track.buckets()
      return [buckets.length, track.width, track.first, track.last,
        buckets.filter(({ scores }) => scores[0] === 0.1).map(({ frame }) => frame), track.at(7777).scores]
    }"""
    buckets, width, first, last, bad, at_bad = page.evaluate(figures)
    assert (buckets, width, first, last) == (313, 64, 0, 19999)
    assert bad == [7777 // 64 * 64] and at_bad == [0.1, 0.8]


INSTANCES = """async () => {
  const it = await import('./static/instances.js')
  const one = { points: [[10, 10, 0.9], [20, 10, 0.8], null], score: 1, track: 3, class: null }
  const points = [[50, 50, 0.9], [60, 50, 0.1], [70, 50, 0.9]]
  const other = { points, score: 1, track: null, class: 'male' }
  const message = {
    frame_idx: 9, instances: [one, other],
    peak_points: [[10, 10], [99, 99], [50, 50]], peak_vals: [0.9, 0.7, 0.9], peak_nodes: [0, 0, 0],
  }
  const info = { nodes: ['a', 'b', 'c'], edges: [[0, 1], [1, 2]], classes: ['female', 'male'] }
  const { nodeColor } = await import('./static/palette.js')
  const before = { frame_idx: 8, instances: [{ ...one, points: [[0, 10, 1], [10, 10, 1], null] }] }
  return {
    colors: [0, 1, 3].map(nodeColor),
    marks: it.marks(message, info, 0.2, new Set()),
    hidden: it.marks(message, info, 0.2, new Set([0])).node,
    lines: it.skeletons(message, info, 0.2, new Set()),
    names: it.animalNames(message, info).map(({ text, x, y }) => [text, x, y]),
    trails: it.trails(message, info, (frame) => (frame === 8 ? before : undefined)),
  }
}"""


def test_animals_are_drawn_in_the_colour_of_their_identity(page):
    seen = page.evaluate(INSTANCES)
    node_0, male, track_3 = seen["colors"]
    marks = seen["marks"]
    # each point of an animal once, then the peak that belongs to nobody; a weak point is left out
    assert marks["x"] == [10, 20, 50, 70, 99]
    assert marks["color"] == [track_3, track_3, male, male, node_0]
    assert seen["hidden"] == [1, 2]
    assert seen["lines"] == [{"color": track_3, "d": "M10 10L20 10"}]
    assert seen["names"] == [["track 3", 15, 10], ["male", 60, 50]]
    assert [(trail["color"], trail["d"]) for trail in seen["trails"]] == [(track_3, "M15.0 10.0L5.0 10.0")]


def test_what_is_not_finite_is_not_drawn_and_stops_nothing(page):
    seen = page.evaluate("""async () => {
      const { marks, skeletons, animalNames } = await import('./static/instances.js')
      const { bestScores } = await import('./static/pose.js')
      const { disagreement } = await import('./static/disagreement.js')
      const message = {
        frame_idx: 0, peak_points: [null, [5, 6], [7, 8], null], peak_vals: [0.9, null, 0.8, null],
        peak_nodes: [0, 0, 1, 1],
        instances: [
          { points: [[10, 10, null], [20, 10, 0.8]], score: null, track: 1, class: null },
          { points: [null, null], score: null, track: 2, class: null },
        ],
      }
      const info = { nodes: ['a', 'b'], edges: [[0, 1]], classes: [], width: 400, height: 200 }
      const alone = { ...message, instances: [] }
      return {
        x: marks(message, info, 0, new Set()).x,
        lines: skeletons(message, info, 0, new Set()),
        names: animalNames(message, info).map(({ text }) => text),
        best: bestScores(message, 2),
        apart: [message, alone].map((one) => (
          disagreement({ ...one, compare: one }, { ...info, compare: info }, 0))),
      }
    }""")
    assert seen == {"x": [20, 7], "lines": [], "names": ["track 1"], "best": [0.9, 0.8], "apart": [0, 0]}


def test_how_far_two_models_are_apart(page):
    apart = """async () => {
      const { disagreement } = await import('./static/disagreement.js')
      const found = (...points) => ({
        instances: [], peak_points: points.map(([, x, y]) => [x, y]), peak_vals: points.map(() => 0.9),
        peak_nodes: points.map(([node]) => node),
      })
      const info = { nodes: ['a', 'b'], width: 400, height: 200, compare: { nodes: ['b', 'a'] } }
      const both = (one, other) => disagreement({ ...found(...one), compare: found(...other) }, info, 0.2)
      return [
        both([[0, 10, 10]], [[1, 13, 14]]), // node a is 1 there
        both([[0, 10, 10], [0, 50, 50]], [[1, 50, 50]]), // one of two is far from all
        both([[0, 10, 10]], []),
        both([], []),
        both([[1, 10, 10]], [[0, 10, 10]]),
      ]
    }"""
    assert page.evaluate(apart) == pytest.approx([5, 56.5685, 50, 0, 0], abs=0.001)


def test_a_track_of_distances_keeps_the_greatest(page):
    greatest = """async () => {
      const { ScoreTrack } = await import('./static/scores.js')
      const track = new ScoreTrack(Math.max)
      for (let i = 0; i < 2000; i++) track.add(i, [i === 777 ? 9 : 1])
      return track.at(777).scores
    }"""
    assert page.evaluate(greatest) == [9]


def test_every_one_of_24_nodes_has_its_own_colour(page):
    made = "import('./static/palette.js').then(({ nodeColor }) => [...Array(24).keys()].map(nodeColor))"
    colours = page.evaluate(made)
    assert len(set(colours)) == 24


def test_times_and_figures_are_written_as_people_write_them(page):
    written = """import('./static/readouts.js').then(({ clock, videoTime, figure, milliseconds }) =>
      [clock(null), clock(7), clock(3671), videoTime(38, 25), videoTime(38, 0), figure(61.83), figure(null),
       milliseconds(4.26), milliseconds(41.7), milliseconds(12345)])"""
    expected = ["–", "0:07", "1:01:11", "0:01.52", "", "61.8", "–", "4.3 ms", "42 ms", "12.3 s"]
    assert page.evaluate(written) == expected


def test_the_table_of_states_says_what_each_button_may_do(page):
    allowed = """async () => {
      const { WORDS, allows } = await import('./static/machine.js')
      const buttons = ['start', 'pause', 'resume', 'stop']
      const may = (state) => [state, buttons.filter((event) => allows(state, event))]
      return Object.fromEntries(Object.keys(WORDS).map(may))
    }"""
    assert page.evaluate(allowed) == {
        "idle": ["start"],
        "starting": ["pause", "stop"],
        "playing": ["pause", "stop"],
        "paused": ["resume", "stop"],
        "done": ["start"],
        "failed": ["start"],
    }
