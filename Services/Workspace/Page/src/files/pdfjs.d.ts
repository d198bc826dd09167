// As much of pdf.js as is used here; Debian has no types for it.
declare module "pdfjs-dist/build/pdf.js" {
  export interface Viewport { width: number; height: number }
  export interface RenderTask { promise: Promise<void>; cancel(): void }
  export interface Page {
    getViewport(options: { scale: number }): Viewport;
    render(options: { canvasContext: CanvasRenderingContext2D; viewport: Viewport }): RenderTask;
    getTextContent(): Promise<{ items: { str?: string; hasEOL?: boolean }[] }>;
  }
  export interface Document { numPages: number; getPage(number: number): Promise<Page> }
  export interface LoadingTask { promise: Promise<Document>; destroy(): Promise<void> }
  export const GlobalWorkerOptions: { workerSrc: string };
  export function getDocument(options: {
    url: string; isEvalSupported: boolean; disableAutoFetch: boolean; disableStream: boolean; enableXfa: boolean;
  }): LoadingTask;
}
declare module "*.worker.js" {
  const address: string;
  export default address;
}
