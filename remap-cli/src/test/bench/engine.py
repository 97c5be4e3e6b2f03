"""The engine alone, in process: 1 MiB reads of a main in the page cache through the virtual disk (map, fence, engine,
device) against bare pread, in rounds that alternate, on one thread. See ReadThroughMap.
"""

import argparse
import json
import os
import subprocess
import sys

import nbd_peers
import report
import servers
from servers import say


def arguments():
    parser = argparse.ArgumentParser(
        prog="./check bench engine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--pairs", default="inline:plain,fast:fast", help="ENGINE:POOL,… (inline:plain,fast:fast)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2, help="of each side in each round (2)")
    parser.add_argument("--directory", default="/var/tmp")
    return parser.parse_args()


def main():
    a = arguments()
    servers.build_remap()
    result = {"format": 1, "machine": servers.machine(), "rows": [], "left_out": {},
              "file_system": servers.file_system(a.directory), "command": "./check bench engine " + " ".join(sys.argv[3:])}
    with servers.Workplace() as workplace:
        image = os.path.join(workplace.directory(a.directory), "image")
        servers.make_image(image, nbd_peers.IMAGE_BYTES)
        servers.read_all(image)
        for pair in a.pairs.split(","):
            say("measuring", pair, "load %.2f" % os.getloadavg()[0])
            run = subprocess.run(servers.java_command("-Xms64m", "-Xmx512m", "-XX:+UseTransparentHugePages") + [
                "-m", "io.remap.cli/io.remap.cli.bench.ReadThroughMap", image, *pair.split(":"), str(a.rounds),
                str(a.seconds)], capture_output=True, text=True)
            if run.returncode == 0:
                result["rows"].append(json.loads(run.stdout))
            else:
                reason = next(
                    (line.split("Refusal: ")[1] for line in run.stderr.splitlines() if "Refusal: " in line), run.stderr)
                say("%s is left out: %s" % (pair, reason))
                result["left_out"][pair] = reason
    path = servers.save(a.results, "engine", result)
    print("\n".join(report.engine(result)))
    say("written:", path)
    sys.exit(nbd_peers.EXIT_INCOMPLETE if result["left_out"] else 0)


if __name__ == "__main__":
    main()
