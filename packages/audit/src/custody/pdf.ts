/** A proven custody report as a PDF: the same bytes for the same report, wherever and whenever it is made. */
import { createHash } from 'node:crypto';
import type PDFDocument from 'pdfkit';
import { outlineOf } from './outline.ts';
import type { ProvenCustody } from './verify/proven.ts';
import { visibleInPdf } from './visible.ts';

const margin = 50;
const nameWidth = 105;
const fonts = { text: 'Helvetica', bold: 'Helvetica-Bold' } as const;
const sizes = { title: 15, section: 11, text: 8.5, small: 7 } as const;
const gray = '#555555';

type Page = InstanceType<typeof PDFDocument>;

/** @param report the bytes that `proven` was verified from */
export async function custodyPdf(proven: ProvenCustody, report: Uint8Array): Promise<Uint8Array> {
  const sha256 = createHash('sha256').update(report).digest('hex');
  const { title, sections } = outlineOf(proven, sha256);
  const asOf = new Date(proven.anchor.asOf);
  // Its fonts take a tenth of a second, which no other command has to wait for.
  const { default: PDFDocument } = await import('pdfkit');
  const page = new PDFDocument({
    size: 'A4',
    margin,
    bufferPages: true,
    info: {
      Title: visibleInPdf(title),
      Producer: 'Tallystick',
      Creator: 'Tallystick',
      CreationDate: asOf,
      ModDate: asOf,
    },
  });
  const chunks: Uint8Array[] = [];
  page.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    page.once('end', resolve);
    page.once('error', reject);
  });
  page.font(fonts.bold).fontSize(sizes.title).text(visibleInPdf(title));
  page.moveDown(0.5).font(fonts.text).fontSize(sizes.text).fillColor(gray);
  page.text(
    'This page is a rendering of a report in JSON, which alone proves what stands here: check it with ' +
      'tally verify-report, offline, and compare its SHA-256 with the one below. Times of changes are claims of the ' +
      'server; order, content and the time of the checkpoint are proven.',
  );
  for (const section of sections) writeSection(page, section.title, section.rows);
  writeFooters(page, sha256);
  page.end();
  await ended;
  return Buffer.concat(chunks);
}

function writeSection(page: Page, title: string, rows: readonly (readonly [string, string])[]): void {
  const left = page.page.margins.left;
  if (page.y > page.page.height - 140) page.addPage();
  page
    .moveDown(1)
    .font(fonts.bold)
    .fontSize(sizes.section)
    .fillColor('black')
    .text(visibleInPdf(title), left);
  page.moveDown(0.2).fontSize(sizes.text);
  const width = page.page.width - 2 * margin - nameWidth;
  for (const [name, value] of rows) {
    const text = visibleInPdf(value) || ' ';
    const label = visibleInPdf(name);
    page.font(fonts.text);
    const height = Math.min(page.heightOfString(label, { width: nameWidth - 5 }), 60);
    if (page.y + height > page.page.height - margin) page.addPage();
    const { y } = page;
    page.fillColor(gray).text(label, left, y, { width: nameWidth - 5, height: 60, ellipsis: true });
    const labelEnd = page.y;
    page.fillColor('black').text(text, left + nameWidth, y, { width });
    // A value that went on to another page is behind its name already.
    if (page.y >= y && page.y < labelEnd) page.y = labelEnd;
  }
}

function writeFooters(page: Page, sha256: string): void {
  const { start, count } = page.bufferedPageRange();
  for (let at = 0; at < count; at++) {
    page.switchToPage(start + at);
    // Text below the margin would begin another page.
    page.page.margins.bottom = 0;
    page.font(fonts.text).fontSize(sizes.small).fillColor(gray);
    page.text(`Report ${sha256}, page ${at + 1} of ${count}`, margin, page.page.height - 30, {
      lineBreak: false,
    });
  }
}
