/** `arn:<partition>:lambda:<region>:<account>:function:<name>[:<version or alias>]` */
export interface LambdaArn {
  readonly arn: string
  /** Empty where the ARN leaves it out. */
  readonly region: string
  /** Letters, digits, `-` and `_` only, so that it can be a file's name. */
  readonly functionName: string
  /** The same without version or alias. */
  readonly unqualified: string
}

const LAMBDA_ARN =
  /^(arn:aws[a-z-]*:lambda:([a-z0-9-]*):\d{0,12}:function:([A-Za-z0-9_-]{1,64}))(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?$/

/** Undefined for what is no function's ARN. */
export function parseLambdaArn(arn: string): LambdaArn | undefined {
  const match = LAMBDA_ARN.exec(arn)
  if (match === null) return undefined
  const [, unqualified = '', region = '', functionName = ''] = match
  return { arn, region, functionName, unqualified }
}
