// Command sumdb reads a Tallystick log with the packages of Go's checksum database alone: it opens the checkpoint
// with note, and has tlog check every inclusion, the growth from an older checkpoint, and a license file.
//
//	sumdb -log URL -token FILE -vkey VKEY -older CHECKPOINT -bundle LICENSE
//
// It prints one line of JSON, and ends with code 1 and a reason where anything does not hold.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

func main() {
	log.SetFlags(0)
	logURL := flag.String("log", "", "address of the log")
	token := flag.String("token", "", "file with the token for tiles")
	vkey := flag.String("vkey", "", "Ed25519 verifier key of the log")
	older := flag.String("older", "", "file with an older checkpoint")
	bundle := flag.String("bundle", "", "file with a license")
	flag.Parse()
	result, err := check(*logURL, *token, *vkey, *older, *bundle)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

type result struct {
	Size       int64 `json:"size"`
	Inclusions int64 `json:"inclusions"`
	GrewFrom   int64 `json:"grewFrom"`
	// Parts of the license file that are included under its own checkpoint.
	BundleParts int `json:"bundleParts"`
}

func check(logURL, tokenFile, vkey, olderFile, bundleFile string) (*result, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, err
	}
	source := &source{url: logURL, token: strings.TrimSpace(string(secret))}
	signed, err := source.get("checkpoint")
	if err != nil {
		return nil, err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return nil, err
	}
	hashes := tlog.TileHashReader(tree, source)
	if err := checkEntries(tree, hashes, source); err != nil {
		return nil, err
	}
	old, err := checkGrowth(olderFile, tree, hashes, verifier)
	if err != nil {
		return nil, err
	}
	parts, err := checkBundle(bundleFile, verifier)
	if err != nil {
		return nil, err
	}
	return &result{Size: tree.N, Inclusions: tree.N, GrewFrom: old, BundleParts: parts}, nil
}

// openCheckpoint verifies the signature that note knows, and leaves the others alone. A checkpoint differs from
// tlog's own tree note in its first line.
func openCheckpoint(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func checkEntries(tree tlog.Tree, hashes tlog.HashReader, source *source) error {
	for first := int64(0); first < tree.N; first += tileWidth {
		width := int(min(tileWidth, tree.N-first))
		tile := tlog.Tile{H: tileHeight, L: -1, N: first / tileWidth, W: width}
		bundle, err := source.get(tilePath(tile))
		if err != nil {
			return err
		}
		entries, err := splitBundle(bundle)
		if err != nil || len(entries) != width {
			return fmt.Errorf("entry bundle %d holds %d of %d entries: %v", tile.N, len(entries), width, err)
		}
		for at, entry := range entries {
			index := first + int64(at)
			proof, err := tlog.ProveRecord(tree.N, index, hashes)
			if err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
		}
	}
	return nil
}

func splitBundle(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 {
			return nil, io.ErrUnexpectedEOF
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if bundle = bundle[2:]; len(bundle) < length {
			return nil, io.ErrUnexpectedEOF
		}
		entries, bundle = append(entries, bundle[:length]), bundle[length:]
	}
	return entries, nil
}

func checkGrowth(file string, tree tlog.Tree, hashes tlog.HashReader, verifier note.Verifier) (int64, error) {
	signed, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	old, err := openCheckpoint(signed, verifier)
	if err != nil {
		return 0, err
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return 0, err
	}
	return old.N, tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// checkBundle checks what a license file proves with the log alone: its anchor, and every subject under it.
func checkBundle(file string, verifier note.Verifier) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var bundle struct {
		Anchor struct {
			Entry string `json:"entry"`
			Proof string `json:"proof"`
		} `json:"anchor"`
		Subjects []struct {
			Index int64       `json:"index"`
			Entry []byte      `json:"entry"`
			Path  []tlog.Hash `json:"path"`
		} `json:"subjects"`
	}
	if err := json.Unmarshal(text, &bundle); err != nil {
		return 0, err
	}
	head, signed, found := strings.Cut(bundle.Anchor.Proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, errors.New("the anchor has no tlog-proof")
	}
	tree, err := openCheckpoint([]byte(signed), verifier)
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return 0, err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, err
		}
		proof = append(proof, hash)
	}
	anchor := tlog.RecordHash([]byte(bundle.Anchor.Entry))
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, anchor); err != nil {
		return 0, fmt.Errorf("anchor: %w", err)
	}
	for _, subject := range bundle.Subjects {
		leaf := tlog.RecordHash(subject.Entry)
		if err := tlog.CheckRecord(subject.Path, tree.N, tree.Hash, subject.Index, leaf); err != nil {
			return 0, fmt.Errorf("entry %d of the license: %w", subject.Index, err)
		}
	}
	return 1 + len(bundle.Subjects), nil
}

// source reads a log over HTTP, and is tlog's TileReader.
type source struct {
	url   string
	token string
}

func (s *source) Height() int { return tileHeight }

func (s *source) SaveTiles([]tlog.Tile, [][]byte) {}

func (s *source) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for at, tile := range tiles {
		var err error
		if data[at], err = s.get(tilePath(tile)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// tilePath is where tlog-tiles has a tile: as Go's checksum database does, without the height, which is always 8.
func tilePath(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

func (s *source) get(path string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, s.url+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := io.Copy(&body, response.Body); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return body.Bytes(), nil
}
