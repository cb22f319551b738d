"""Compares our order of versions with that of the tools that they belong to:
versions.py OURS ROOT, our program and a Debian root with Ruby in it.

Pairs are made from a seed: pieces that mean something to the tool, and small changes of one version.
"""

import pathlib
import random
import subprocess
import sys

PAIRS = 3000

NUMBERS = ["0", "1", "2", "9", "10", "01", "100", "20240101"]
PIECES = {
    "semver": [["1.", "0.", "10."], ["2.", "0."], ["3", "0", "11"],
               ["", "", "-", "-rc.", "-alpha.1", "-1.a", "-0a.b-c"], ["", "1", "x2"],
               ["", "+build", "+1.2"]],
    "rpm": [["", "", "0:", "1:"], NUMBERS, ["", ".", "~rc", "^", "_", ".a", "a", "~~", "^git"],
            NUMBERS, ["", "-1", "-1.el9", "-10.el9_2", "-1~x", "-3.amzn2023.0.2"]],
    "pep440": [["", "", "1!"], ["1", "0", "2", "10"], ["", ".0", ".1", ".10", ".0.0"],
               ["", "", "a1", "rc2", ".post1", ".dev3", "b2.dev1", "rc1.post2", "-1", ".RC1"],
               ["", "", "+local.1", "+2", "+ubuntu-1"]],
    "gem": [["1", "0", "2", "10"], ["", ".0", ".1", ".0.0", ".10"],
            ["", "", ".pre", ".rc1", ".a.1", ".b10", "-java", ".1a"], ["", ".2", ".x"]],
    "debian": [["", "", "1:"], NUMBERS, ["", ".", "~rc", "+b", "~", "a", "~bpo12+", "-x"],
               NUMBERS, ["", "-1", "-1+deb12u1", "-0ubuntu1~22.04", "-1~"]],
}

SEMVER = """
const { execSync } = require("child_process");
const npm = execSync("npm root -g").toString().trim() + "/npm";
const semver = require(require.resolve("semver", { paths: [npm, "/usr/share/nodejs"] }));
for (const line of require("fs").readFileSync(0, "utf8").trim().split("\\n")) {
  const [a, b] = line.split("\\t");
  console.log(semver.valid(a) && semver.valid(b) ? semver.compare(a, b) : "none");
}
"""
RPM = """%{lua:
for line in io.lines("PAIRS") do
  local a, b = line:match("^(.-)\\t(.*)$")
  print(rpm.vercmp(a, b) .. "\\n")
end
}"""
PEP440 = """
import sys
from pip._vendor.packaging.version import InvalidVersion, Version
for line in sys.stdin:
    try:
        a, b = map(Version, line.rstrip("\\n").split("\\t"))
        print((a > b) - (a < b))
    except InvalidVersion:
        print("none")
"""
GEM = """
$stdin.each_line do |line|
  a, b = line.chomp.split("\\t")
  valid = Gem::Version.correct?(a) && Gem::Version.correct?(b)
  puts(valid ? Gem::Version.new(a) <=> Gem::Version.new(b) : "none")
end
"""
DEBIAN = r"""
while IFS="$(printf '\t')" read -r a b; do
  if dpkg --compare-versions "$a" lt "$b" 2>/dev/null; then echo -1
  elif dpkg --compare-versions "$a" eq "$b" 2>/dev/null; then echo 0
  else echo 1; fi
done
"""


def pairs(scheme: str) -> list[tuple[str, str]]:
    chance = random.Random(scheme)
    made = []
    for _ in range(PAIRS):
        left = [chance.choice(pieces) for pieces in PIECES[scheme]]
        right = list(left)
        for _ in range(chance.choice([1, 1, 2, 5])):
            place = chance.randrange(len(right))
            right[place] = chance.choice(PIECES[scheme][place])
        made.append(("".join(left), "".join(right)))
    return made


def main() -> int:
    ours, root = sys.argv[1], pathlib.Path(sys.argv[2])
    failed = False
    for scheme in PIECES:
        made = pairs(scheme)
        text = "".join(f"{left}\t{right}\n" for left, right in made)
        listed = root.with_name("pairs")
        listed.write_text(text)
        tools = {
            "semver": ["node", "-e", SEMVER],
            "rpm": ["rpm", "--eval", RPM.replace("PAIRS", str(listed))],
            "pep440": [sys.executable, "-c", PEP440],
            "gem": ["chroot", str(root), "ruby", "-e", GEM],
            "debian": ["sh", "-c", DEBIAN],
        }

        def answers(command: list[str]) -> list[str]:
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
            return done.stdout.split()

        found, expected = answers([ours, scheme]), answers(tools[scheme])
        assert len(found) == len(expected) == len(made), scheme
        # What a tool takes for no version, an advisory does not name.
        compared = wrong = 0
        for (left, right), our, their in zip(made, found, expected):
            if their == "none":
                continue
            compared += 1
            if our != their:
                wrong += 1
                print(f"{scheme}: {left} and {right}: we say {our}, its tool says {their}")
        print(f"{scheme}: {compared} pairs compared, {wrong} differ")
        failed = failed or wrong > 0 or compared < PAIRS // 4
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
