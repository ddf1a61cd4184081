import Foundation

/// A program in the place of `Peers/peers.py` and its Python: it computes attention in plain Python, and misbehaves as it is told for
/// each engine's name.
enum FakePeer {
  /// Whether the fake can run; it needs nothing but the interpreter.
  static var canRun: Bool {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }
  }

  /// What it does under each name.
  static func program(_ ways: [String: String]) -> String {
    let dictionary = ways.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", ")
    return script.replacingOccurrences(of: "WAYS", with: "{\(dictionary)}")
  }

  private static let script = #"""
    #!/usr/bin/env python3
    import json, math, os, struct, sys, time

    # As an older build it has no name.
    name = "older" if sys.argv[1] == "answer" else sys.argv[2]
    way = WAYS[name]
    assert name == "older" or sys.argv[1].endswith("peers.py")
    assert sys.argv[-2] == "--threads" and int(sys.argv[-1]) > 0
    if way == "absent":
        sys.exit("No module named nonesuch")
    turns = 0


    def tensors(path):
        data = open(path, "rb").read()
        size = struct.unpack("<Q", data[:8])[0]
        for name, entry in json.loads(data[8 : 8 + size]).items():
            begin, end = (8 + size + x for x in entry["data_offsets"])
            assert entry["dtype"] == "F32"
            yield name, (entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))


    def attention(path):
        given = dict(tensors(path))
        (_, heads, rows, width), q = given["Q"]
        (_, _, keys, _), k = given["K"]
        (_, _, _, wide), v = given["V"]
        output = []
        for head in range(heads):
            for row in range(rows):
                query = q[(head * rows + row) * width :][:width]
                key = lambda j: k[(head * keys + j) * width :][:width]
                seen = range(row + keys - rows + 1)
                scores = [sum(a * b for a, b in zip(query, key(j))) / math.sqrt(width) for j in seen]
                weights = [math.exp(s - max(scores)) for s in scores]
                for c in range(wide):
                    total = sum(w * v[(head * keys + j) * wide + c] for j, w in zip(seen, weights))
                    output.append(total / sum(weights))
        return [1, heads, rows, wide], output


    def write(path, shape, output):
        entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * len(output)]}
        header = json.dumps({"Y": entry}).encode()
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header + struct.pack(f"<{len(output)}f", *output))


    def answer(asked):
        global shape, output, turns
        if asked["do"] == "prepare":
            if way == "refuse":
                return {"error": "has no kernel for this"}
            if way == "die":
                sys.exit("killed for memory")
            shape, output = attention(asked["inputs"])
            assert asked["shape"]["mask"] == "causal" and asked["dtype"] == "f32"
            if way == "sleepy":
                time.sleep(100)
            call = "\x1b[2J" if way == "loud" else "plain"
            return {"call": call, "seconds": 1e9 if way == "eternal" else 0.01}
        if asked["do"] == "turn":
            turns += 1
            if way == "crash" and turns == 2:
                os.kill(os.getpid(), 11)
            if way == "garbage" and turns == 2:
                print("Segmentation fault, or whatever", flush=True)
            seconds = {"negative": -1.0, "endless": 1e9, "fast": 1e-9}.get(way, 0.012)
            return {"seconds": seconds, "calls": 2, "cpu_seconds": 0.02}
        if way == "wrong":
            output = [1.001 * x + 0.001 for x in output]
        if way == "nan":
            output[-1] = math.nan
        if way == "flat":
            shape = [len(output)]
        write(asked["output"], shape, output)
        if way == "torn":
            os.truncate(asked["output"], 100)
        return {}


    if way == "slow":
        time.sleep(100)
    print(json.dumps({"request": 0, "version": "1.2.3" + 40 * "\n" * (way == "long")}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps({"request": asked["request"]} | answer(asked)), flush=True)
    """#
}
